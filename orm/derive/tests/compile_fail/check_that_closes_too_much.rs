use packetboat_orm::Model;

#[derive(Model)]
#[model(index(id, titel))]
struct Post {
    id: i64,
    title: String,
}

#[derive(Model)]
struct Remark {
    id: i64,
    #[model(check = "length(body) > 0), extra INTEGER CHECK (1 = 1")]
    body: String,
}

fn main() {}
