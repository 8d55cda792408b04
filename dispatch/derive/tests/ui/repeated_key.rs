use packetboat_dispatch_derive::Message;

struct Done;

#[derive(Message)]
#[message(type = "login", type = "signin", reply = Done)]
struct Login {
    name: String,
}

fn main() {}
