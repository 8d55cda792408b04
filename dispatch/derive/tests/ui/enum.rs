use packetboat_dispatch_derive::Message;

struct Done;

#[derive(Message)]
#[message(type = "any", reply = Done)]
enum Any {
    Login,
}

fn main() {}
