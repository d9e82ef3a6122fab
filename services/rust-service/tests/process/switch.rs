//! A TCP proxy before PostgreSQL that a test can break and mend.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_postgres::config::Host;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Forward,
    /// Connections stay open and new ones are taken, but no byte passes.
    Hang,
    /// Connections are cut, new ones at once.
    Refuse,
}

pub struct Switch {
    mode: Arc<watch::Sender<Mode>>,
    port: u16,
}

impl Switch {
    pub async fn before(database: &tokio_postgres::Config) -> Self {
        let [Host::Tcp(host), ..] = database.get_hosts() else { panic!("DATABASE_URL must name a TCP host") };
        let target = (host.clone(), database.get_ports().first().copied().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let mode = Arc::new(watch::Sender::new(Mode::Forward));
        let modes = mode.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target.clone(), modes.subscribe()));
            }
        });
        Self { mode, port }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// The database's URL by way of this switch.
    pub fn url(&self, database: &tokio_postgres::Config) -> String {
        let user = database.get_user().expect("a user");
        let password = String::from_utf8_lossy(database.get_password().unwrap_or_default());
        let name = database.get_dbname().unwrap_or(user);
        format!("postgresql://{user}:{password}@127.0.0.1:{}/{name}", self.port)
    }
}

/// Carries one connection until either side or a change of mode ends it. A connection that saw a hang is cut when the
/// hang is over, as that of a stopped server would be.
async fn carry(mut client: TcpStream, target: (String, u16), mut modes: watch::Receiver<Mode>) {
    let mode = *modes.borrow_and_update();
    if mode == Mode::Forward {
        let Ok(mut server) = TcpStream::connect(target).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
            _ = modes.changed() => {}
        }
    }
    let hanging = *modes.borrow_and_update() == Mode::Hang;
    if hanging {
        // An error means that the test is over.
        let _ = modes.changed().await;
    }
}
