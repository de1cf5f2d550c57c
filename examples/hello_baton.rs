//! Tasks and a thread that arrive in any order have their turns in the order of their numbers.
//!
//! `cargo run --example hello_baton` prints `turn 1` to `turn 6`, in this order, whatever the order of
//! the arrivals between them.

use batons::Baton;

#[tokio::main]
async fn main() {
    let baton = Baton::new(1);
    let mut tasks = tokio::task::JoinSet::new();
    for number in [4, 6, 2, 5, 1] {
        let baton = baton.clone();
        tasks.spawn(async move {
            println!("        task {number} arrives");
            let _turn = baton.acquire(number).await.expect("each number is acquired once");
            println!("turn {number}");
        });
    }
    let thread = std::thread::spawn(move || {
        println!("        thread 3 arrives");
        let _turn = baton.blocking_acquire(3).expect("each number is acquired once");
        println!("turn 3");
    });
    tasks.join_all().await;
    thread.join().expect("the thread has nothing to panic about");
}
