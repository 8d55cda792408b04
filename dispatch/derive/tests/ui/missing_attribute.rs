use packetboat_dispatch_derive::Message;

struct Done;

#[derive(Message)]
struct Login {
    name: String,
}

fn main() {}
