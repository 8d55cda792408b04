use packetboat_dispatch_derive::Message;

struct Done;

#[derive(Message)]
#[message(type = "upload", reply = Done, attachment = "size")]
struct Upload {
    file_size: u64,
}

fn main() {}
