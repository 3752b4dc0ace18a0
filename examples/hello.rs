//! Answers every call on UDP port 5060 of this machine, with a session without media, and says who
//! it was and why it ended.

use drongo::driver::tokio::{Arrival, CallError, Listen, UserAgent};
use drongo::endpoint::Config;
use drongo::message::Body;

const SESSION: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                       m=audio 9 RTP/AVP 0\r\na=inactive\r\n";

async fn handle(arrival: Arrival) -> Result<(), CallError> {
    let Arrival::Call(call) = arrival else {
        return Ok(()); // A request that is not answered is refused.
    };
    println!("{} calls", call.request().from().uri());
    call.ring().await?;
    let call = call.answer(Body::sdp(SESSION)).await?;
    println!("{}: {}", call.handle(), call.ended().await);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place = Listen::Udp("127.0.0.1:5060".parse()?);
    let agent = UserAgent::bind(&[place], Config::default()).await?;
    tokio::select! {
        () = agent.serve(handle) => {}
        _ = tokio::signal::ctrl_c() => {} // The calls are dropped, which hangs up.
    }
    Ok(agent.close().await?)
}
