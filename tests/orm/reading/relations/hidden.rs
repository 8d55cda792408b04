//! Rows of other tenants and rows that are deleted are related to nothing.

use chrono::{DateTime, Utc};
use packetboat_orm::{Error, Executor, Model, ModelExt, Tenant};

use crate::common::bed::Bed;

/// Each of a tenant, and hidden once it is deleted.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(has_many(leaves: Leaf), has_many(birds: Bird, through = Visit))]
struct Tree {
    id: i64,
    #[model(tenant)]
    garden: i64,
    #[model(deleted)]
    felled: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Model)]
#[model(belongs_to(tree: Tree))]
struct Leaf {
    id: i64,
    tree_id: i64,
    #[model(tenant)]
    garden: i64,
    #[model(deleted)]
    fallen: Option<DateTime<Utc>>,
}

/// Everybody's.
#[derive(Clone, Debug, PartialEq, Model)]
struct Bird {
    id: i64,
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Visit {
    #[model(key)]
    tree_id: i64,
    #[model(key)]
    bird_id: i64,
    #[model(tenant)]
    garden: i64,
    #[model(deleted)]
    over: Option<DateTime<Utc>>,
}

/// Two gardens with the same: a tree, two leaves of which one has fallen, two visits of which one is over.
async fn gardens(db: impl Executor + Copy) {
    Tree::create_table(db).await.expect("a table");
    Leaf::create_table(db).await.expect("a table");
    Bird::create_table(db).await.expect("a table");
    Visit::create_table(db).await.expect("a table");
    let mut birds = [1, 2, 3, 4].map(|id| Bird { id });
    Bird::insert_all(&mut birds, db).await.expect("birds");
    for garden in [1, 2] {
        let mut db = Tenant::new(db, garden);
        let mut tree = Tree {
            id: garden,
            garden: 0,
            felled: None,
        };
        tree.insert(&mut db).await.expect("a tree");
        for leaf in 0..2 {
            let mut leaf = Leaf {
                id: garden * 10 + leaf,
                // Grown over from the first garden, to no tree that this one has.
                tree_id: 1,
                garden: 0,
                fallen: None,
            };
            leaf.insert(&mut db).await.expect("a leaf");
            if leaf.id % 10 == 1 {
                leaf.delete(&mut db).await.expect("a fallen leaf");
            }
        }
        for bird in 0..2 {
            let mut visit = Visit {
                tree_id: 1,
                bird_id: garden * 2 - 1 + bird,
                garden: 0,
                over: None,
            };
            visit.insert(&mut db).await.expect("a visit");
            if bird == 1 {
                visit.delete(&mut db).await.expect("an end");
            }
        }
    }
}

async fn what_is_hidden_is_not_loaded(bed: impl Bed) {
    gardens(bed.db()).await;
    let mut db = Tenant::new(bed.db(), 1_i64);
    let trees: Vec<(Tree, Vec<Leaf>, Vec<Bird>)> = Tree::select()
        .with(tree::leaves)
        .with(tree::birds)
        .all(&mut db)
        .await
        .expect("trees");
    let [(tree, leaves, birds)] = trees.as_slice() else {
        panic!("{trees:?}");
    };
    assert_eq!((leaves.len(), leaves[0].id), (1, 10));
    assert_eq!(birds, &[Bird { id: 1 }]);
    let trees = std::slice::from_ref(tree);
    for limit in [1, 9] {
        let leaves = tree::leaves
            .limit(limit)
            .load(trees, &mut db)
            .await
            .expect("leaves");
        assert_eq!(leaves[0].len(), 1);
        let birds = tree::birds
            .limit(limit)
            .with_through()
            .load(trees, &mut db)
            .await
            .expect("birds");
        assert_eq!(birds[0].len(), 1);
    }
    let all = tree::leaves
        .with_deleted()
        .load(trees, &mut db)
        .await
        .expect("all leaves");
    let mut ids: Vec<i64> = all[0].iter().map(|leaf| leaf.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [10, 11]);
    assert_eq!(
        tree::leaves.of(tree).count(&mut db).await.expect("a count"),
        1
    );
    assert_eq!(
        tree::birds.of(tree).count(&mut db).await.expect("a count"),
        1
    );

    // The tree is not the second garden's, and so is not there for its leaf.
    let mut other = Tenant::new(bed.db(), 2_i64);
    let refused = Leaf::select()
        .with(leaf::tree)
        .all(&mut other)
        .await
        .expect_err("no tree");
    assert!(
        matches!(refused, Error::MissingRelated { table: "leaf", .. }),
        "{refused}"
    );
    // Nor for its own, once it is deleted.
    let mut tree = tree.clone();
    tree.delete(&mut db).await.expect("a felled tree");
    let refused = Leaf::select()
        .with(leaf::tree)
        .all(&mut db)
        .await
        .expect_err("no tree");
    assert!(
        matches!(refused, Error::MissingRelated { table: "leaf", .. }),
        "{refused}"
    );
    let leaves: Vec<(Leaf, Tree)> = Leaf::select()
        .with(leaf::tree.with_deleted())
        .all(&mut db)
        .await
        .expect("a leaf of a felled tree");
    assert_eq!(leaves.len(), 1);
    // For nobody in particular there is nothing.
    let refused = tree::leaves
        .load(std::slice::from_ref(&tree), bed.db())
        .await
        .expect_err("no tenant");
    assert!(matches!(refused, Error::NoTenant { .. }), "{refused}");
}

crate::common::on_every_database! {
    what_is_hidden_is_not_loaded,
}
