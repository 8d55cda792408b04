use packetboat_dispatch_derive::Message;

struct Done;

#[derive(Message)]
#[message(typ = "login", reply = Done)]
struct Login {
    name: String,
}

fn main() {}
