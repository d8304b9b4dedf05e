//! A gateway under test: its folder, its files, its process.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::client::Client;

/// Longer than any of these tests waits for anything on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The whole site of most tests: VLAN 10 of trunk `t1` and the access port `a1` in bridge `web`.
pub(crate) const SITE: &str = "\
hosts: [{name: gw-a}]
bridges: [{name: web}]
gatewayBridges: [{name: gw}]
trunks: [{name: t1, gatewayBridge: gw, host: gw-a, interface: eth1}]
vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: web}]
accessPorts: [{name: a1, bridge: web, host: gw-a, interface: vm1}]
";

/// The interfaces that go with it.
pub(crate) const INTERFACES: &str = "\
[interfaces.eth1]
kind = \"af_packet\"
[interfaces.vm1]
kind = \"af_packet\"
";

/// Moves the calling thread, and what it starts from now on, to network and mount namespaces of its
/// own. The kernel removes them when the test ends.
pub(crate) fn enter_new_namespaces() {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("these tests run as root");
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).unwrap();
    ip("link set lo up");
}

/// Runs `ip` with these words.
#[track_caller]
pub(crate) fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until `probe` yields something.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A daemon and its files.
pub(crate) struct Gateway {
    pub(crate) folder: TempDir,
    child: Option<Child>,
}

impl Gateway {
    /// The files of a gateway with these interfaces; the site file is left to the test.
    pub(crate) fn new(interfaces: &str) -> Self {
        Self::named("gw-a", interfaces)
    }

    /// The same for another host.
    pub(crate) fn named(name: &str, interfaces: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Self { folder, child: None };
        gateway.write_node(name, interfaces);
        gateway
    }

    /// [`SITE`] on [`INTERFACES`], running, with both links up. The cables must be there.
    pub(crate) fn usual() -> (Self, Client) {
        let mut gateway = Self::new(INTERFACES);
        fs::write(gateway.site(), SITE).unwrap();
        let client = gateway.start();
        client.wait_forwarding(2);
        (gateway, client)
    }

    fn write_node(&self, name: &str, interfaces: &str) {
        let at = |name: &str| self.path(name).display().to_string();
        let (site, state, socket) = (at("conf/site.yaml"), at("state"), at("run/sluiced.sock"));
        fs::create_dir_all(self.path("conf")).unwrap();
        let text = format!(
            "name = \"{name}\"\nsite = \"{site}\"\nstate = \"{state}\"\n[control]\nsocket = \"{socket}\"\n{interfaces}"
        );
        fs::write(self.path("sluice.toml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn site(&self) -> PathBuf {
        self.path("conf/site.yaml")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("run/sluiced.sock")
    }

    /// The command that runs the daemon in the foreground.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluiced"));
        command.arg("--config").arg(self.path("sluice.toml"));
        command.stdin(Stdio::null()).env_remove("NOTIFY_SOCKET").env_remove("RUST_LOG");
        command
    }

    /// Starts the daemon and waits until it answers.
    #[track_caller]
    pub(crate) fn start(&mut self) -> Client {
        let mut command = self.command();
        self.spawn(&mut command);
        self.connect()
    }

    pub(crate) fn spawn(&mut self, command: &mut Command) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        self.child = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    #[track_caller]
    pub(crate) fn connect(&mut self) -> Client {
        wait_for("an answer", || {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("sluiced ended with {status}:\n{}", self.log());
            }
            Client::connect(&self.socket())
        })
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().unwrap().id();
        kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
    }

    /// Waits for the daemon to end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        wait_for("sluiced to end", || child.try_wait().unwrap())
    }

    /// SIGTERM, and a clean end.
    #[track_caller]
    pub(crate) fn stop(mut self) -> String {
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "signal {:?}\n{}", status.signal(), self.log());
        self.log()
    }

    /// Runs the daemon, which is expected to end by itself: exit code and output.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command().args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    /// Makes a small file system of its own and puts the folder `name` there.
    pub(crate) fn small_disk(&self, name: &str, octets: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        let options = format!("size={octets}");
        let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
        mount(kind, &path, kind, flags, Some(options.as_str())).unwrap();
        path
    }
}

/// Fills the file system of `folder` up to the last octet.
pub(crate) fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("ballast");
    let mut zeros = fs::File::open("/dev/zero").unwrap().take(1 << 30);
    let error = std::io::copy(&mut zeros, &mut fs::File::create(&path).unwrap()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    path
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "what the daemon said explains the failure")]
            {
                eprintln!("--- log of sluiced\n{}", self.log());
            }
        }
    }
}
