use packetboat_dispatch_derive::Message;

struct Done;

#[derive(Message)]
#[message(type = "buy_vip", reply = Done)]
struct BuyVip(u32);

fn main() {}
