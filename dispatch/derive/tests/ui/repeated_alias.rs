use packetboat_dispatch_derive::Message;

struct Done;

#[derive(Message)]
#[message(type = "login", alias = "signin", alias = "login", reply = Done)]
struct Login {
    name: String,
}

fn main() {}
