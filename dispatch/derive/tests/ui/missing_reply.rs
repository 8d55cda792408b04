use packetboat_dispatch_derive::Message;

struct Done;

#[derive(Message)]
#[message(type = "login")]
struct Login {
    name: String,
}

fn main() {}
