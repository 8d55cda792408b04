use packetboat_orm::Field;

#[derive(Field)]
enum Shape {
    Circle(f64),
}

fn main() {}
