//! What the operator does: companies come, change their plan, and leave.

use std::fmt::Write as _;

use clap::{Args, Subcommand};

use crate::accounts::Passwords;
use crate::config::DataOptions;
use crate::directory::{Directory, NewCompany, Site};
use crate::plans::{Component, Plan};
use crate::refusals::Refusal;
use crate::secret;
use crate::site::files::Folder;
use crate::site::owners;
use crate::storage::Storage;

/// What can be done about companies.
#[derive(Clone, Debug, Subcommand)]
pub enum TenantCommand {
    /// Take a company in: its database, its site, and its owner
    Create(CreateTenant),
    /// Say which companies there are, and what each has switched on
    List,
    /// Move a company to another plan; what is too much for it is switched off, and kept
    Move {
        /// The company's name
        name: String,
        /// The plan
        plan: Plan,
    },
    /// Strike a company out
    Remove(RemoveTenant),
}

/// A company that is to be taken in.
#[derive(Args, Clone, Debug)]
pub struct CreateTenant {
    /// Its name: 1 to 40 of a-z, 0-9 and -
    pub name: String,
    /// As visitors read it [default: the name]
    #[arg(long)]
    pub title: Option<String>,
    /// What it pays for
    #[arg(long, value_enum, default_value = "starter")]
    pub plan: Plan,
    /// What is switched on from the start; may be given again
    #[arg(
        long = "with",
        value_enum,
        value_name = "COMPONENT",
        value_delimiter = ','
    )]
    pub components: Vec<Component>,
    /// A host of its own, beside NAME.DOMAIN
    #[arg(long)]
    pub host: Option<String>,
    /// The owner's name
    #[arg(long, default_value = "owner")]
    pub owner: String,
    /// The owner's password [default: one is made, and said once]
    // In the environment it is not seen by other people of the machine.
    #[arg(long, env = "WEBSITE_OWNER_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
}

/// A company that is to be struck out.
#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("data_of_it").required(true).args(["keep_data", "delete_data"]))]
pub struct RemoveTenant {
    /// Its name
    pub name: String,
    /// Its name once more
    #[arg(long, value_name = "NAME")]
    pub confirm: String,
    /// Leave its database and files where they are
    #[arg(long)]
    pub keep_data: bool,
    /// Delete its database and files
    #[arg(long)]
    pub delete_data: bool,
}

/// What companies are managed with.
#[derive(Clone, Debug)]
pub struct Operator {
    directory: Directory,
    storage: Storage,
    folder: Folder,
    passwords: Passwords,
}

impl Operator {
    /// Manages the companies at this place.
    pub fn new(
        directory: Directory,
        storage: Storage,
        folder: Folder,
        passwords: Passwords,
    ) -> Self {
        Self {
            directory,
            storage,
            folder,
            passwords,
        }
    }

    /// Takes a company in, and gives its site. What fails half way is undone; a database that is there already is
    /// somebody's, and is left as it is.
    ///
    /// # Errors
    ///
    /// [`Refusal::BadText`], [`Refusal::PlanFull`], [`Refusal::Taken`], [`Refusal::DatabaseExists`], and what the
    /// databases say.
    pub async fn create(
        &self,
        new: NewCompany,
        owner: &str,
        password: String,
    ) -> Result<Site, Refusal> {
        let site = self.directory.create(new).await?;
        if let Err(refusal) = self.storage.create(&site.key).await {
            self.directory.remove(&site.name).await?;
            return Err(refusal);
        }
        if let Err(refusal) = self.furnish(&site, owner, password).await {
            self.directory.remove(&site.name).await?;
            self.storage.delete(&site.key).await?;
            return Err(refusal);
        }
        Ok(site)
    }

    async fn furnish(&self, site: &Site, owner: &str, password: String) -> Result<(), Refusal> {
        let tenants = crate::app::App::tenants(self.storage.clone());
        let db = tenants.get(&site.key).await?;
        let added = owners::add(&db, &self.passwords, owner, password).await;
        drop(db);
        tenants.close().await;
        added
    }

    /// Strikes a company out, and deletes its database and files where that is said. A server that has its database
    /// open closes it when it has been idle, and asks nothing of it until then.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotFound`], and what the databases and the file system say.
    pub async fn remove(&self, name: &str, delete_data: bool) -> Result<Site, Refusal> {
        let site = self.directory.remove(name).await?;
        if delete_data {
            self.storage.delete(&site.key).await?;
            self.folder
                .delete_all(&site)
                .await
                .map_err(Refusal::internal)?;
        }
        Ok(site)
    }
}

/// Does it, and says what was done.
///
/// # Errors
///
/// Why it was not.
pub async fn run(command: TenantCommand, options: DataOptions) -> Result<String, Refusal> {
    let options = options.with_file().map_err(Refusal::internal)?;
    let storage = options.storage();
    let directory = Directory::open(storage.directory().await?).await?;
    let folder = Folder::new(options.folder().join("files"), 0);
    let passwords = Passwords::new(argon2::Params::DEFAULT, 1);
    let operator = Operator::new(directory.clone(), storage, folder, passwords);
    match command {
        TenantCommand::Create(new) => create(&operator, new).await,
        TenantCommand::List => list(&directory).await,
        TenantCommand::Move { name, plan } => {
            let off = directory.move_to(&name, plan).await?;
            Ok(moved(&name, plan, &off))
        }
        TenantCommand::Remove(RemoveTenant { name, confirm, .. }) if name != confirm => {
            Err(Refusal::NotConfirmed)
        }
        TenantCommand::Remove(removal) => {
            let site = operator.remove(&removal.name, removal.delete_data).await?;
            let done = if removal.delete_data {
                "deleted"
            } else {
                "kept"
            };
            Ok(format!(
                "{} is struck out; its data ({}) is {done}.",
                site.name, site.key
            ))
        }
    }
}

async fn create(operator: &Operator, new: CreateTenant) -> Result<String, Refusal> {
    let (password, is_made) = match new.password {
        Some(password) => (password, false),
        None => (secret::random_hex(), true),
    };
    let company = NewCompany {
        title: new.title.unwrap_or_else(|| new.name.clone()),
        name: new.name,
        host: new.host,
        plan: new.plan,
        components: new.components,
    };
    let site = operator
        .create(company, &new.owner, password.clone())
        .await?;
    let mut said = format!("{} is taken in, on the plan {}.", site.name, site.plan);
    if is_made {
        // A string takes what is written.
        let _written = write!(
            said,
            "\nIts owner is {:?} with the password {password}",
            new.owner
        );
    }
    Ok(said)
}

async fn list(directory: &Directory) -> Result<String, Refusal> {
    let lines = directory.list().await?.into_iter().map(|site| {
        let on = site.components.iter().map(|component| component.as_str());
        let on = on.collect::<Vec<_>>().join(",");
        let host = site.host.unwrap_or_default();
        format!("{}\t{}\t{}\t{host}\t{on}", site.name, site.plan, site.title)
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// Says which components a move has switched off.
pub fn moved(name: &str, plan: Plan, off: &[Component]) -> String {
    let mut said = format!(
        "{name} is on the plan {plan}, of {} components.",
        plan.allows()
    );
    if !off.is_empty() {
        let off = off.iter().map(|component| component.as_str());
        let off = off.collect::<Vec<_>>().join(", ");
        let _written = write!(said, " Switched off, with all that is in them kept: {off}.");
    }
    said
}
