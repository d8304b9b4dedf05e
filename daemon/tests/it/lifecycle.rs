//! Start, ready, reload, stop, and what survives a sudden end.

use std::fs;
use std::os::unix::net::UnixDatagram;

use nix::sys::signal::Signal;
use proto::v1;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::frames::{ALL, frame, number, station, tagged};
use crate::gateway::{Gateway, INTERFACES, SITE, enter_new_namespaces, wait_for};
use crate::wire::Wire;

#[test]
fn frames_cross_between_a_vlan_and_a_bridge_and_every_one_is_accounted_for() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();

    trunk.send(&tagged(10, ALL, station(1), 7));
    assert_eq!(guest.expect(), frame(ALL, station(1), 7));
    wait_for("the station to be learned", || {
        (client.mac_lines() == [format!("web {} t1.10", crate::frames::text(station(1)))])
            .then_some(())
    });
    guest.send(&frame(station(1), station(2), 8));
    assert_eq!(number(&trunk.expect()), 8);
    trunk.send(&tagged(99, ALL, station(1), 9));

    let drop = wait_for("the drop with its sample", || {
        client.drops().into_iter().find(|drop| drop.sample.is_some())
    });
    assert_eq!(
        (drop.reason.as_str(), drop.port.as_str(), drop.frames),
        ("vlan_unknown", "trunks/t1", 1)
    );
    let sample = drop.sample.unwrap();
    assert_eq!(sample.summary, bridge_model::wire::text::describe(&sample.octets));
    assert!(sample.summary.contains(" vlan 99 "), "{}", sample.summary);
    assert_eq!(sample.octets, tagged(99, ALL, station(1), 9));
    let line = client.accounting();
    assert_eq!((line.received, line.sent, line.dropped, line.difference), (3, 2, 1, 0));
    assert!(gateway.stop().contains("difference=0"));
}

#[test]
fn a_reload_adds_a_vlan_and_loses_no_frame_of_another() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();
    let second = SITE.replace(
        "bridge: web}]\nacc",
        "bridge: web}, {gatewayBridge: gw, vid: 11, bridge: db}]\nacc",
    );
    let second = second.replace("{name: web}]", "{name: web}, {name: db}]");

    let mut sent = 0;
    let mut expected = 0;
    for round in 0..20 {
        fs::write(gateway.site(), if round % 2 == 0 { &second } else { SITE }).unwrap();
        gateway.signal(Signal::SIGHUP);
        let wanted = if round % 2 == 0 { 2 } else { 1 };
        wait_for("the site to be reloaded", || {
            trunk.send(&tagged(10, ALL, station(1), sent));
            sent += 1;
            while let Some(frame) = guest.receive() {
                assert_eq!(number(&frame), expected, "a frame was lost or overtaken");
                expected += 1;
            }
            (client.status().vlan_link_count == wanted).then_some(())
        });
    }
    while expected < sent {
        assert_eq!(number(&guest.expect()), expected);
        expected += 1;
    }

    assert_eq!(client.status().revision, 21);
    assert!(sent >= 20);
    gateway.stop();
}

#[test]
fn a_killed_daemon_starts_again_on_what_it_left_and_forwards() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (mut gateway, client) = Gateway::usual();
    let document = "bridges: [{name: db}]".to_owned();
    client.apply(v1::ApplyRequest { document, ..Default::default() }).unwrap();
    assert_eq!(client.status().revision, 2);

    for _ in 0..3 {
        gateway.signal(Signal::SIGKILL);
        gateway.wait();
        assert!(gateway.socket().exists(), "a killed daemon leaves its socket");
        let client = gateway.start();
        client.wait_forwarding(2);
        assert_eq!(client.status().revision, 2);
        trunk.send(&tagged(10, ALL, station(1), 3));
        assert_eq!(number(&guest.expect()), 3);
    }

    gateway.stop();
}

#[test]
fn a_clean_stop_takes_the_socket_along_and_lets_the_next_daemon_start() {
    enter_new_namespaces();
    let _cables = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (mut gateway, _client) = Gateway::usual();

    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(!gateway.socket().exists());

    gateway.start();
    gateway.stop();
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, _client) = Gateway::usual();

    let (code, text) = gateway.run(&[]);

    assert_eq!(code, 4, "{text}");
    assert!(text.contains(&gateway.socket().display().to_string()), "{text}");
    trunk.send(&tagged(10, ALL, station(1), 5));
    assert_eq!(number(&guest.expect()), 5);
    gateway.stop();
}

#[test]
fn systemd_hears_of_start_liveness_and_stop() {
    enter_new_namespaces();
    let _cables = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let mut gateway = Gateway::new(INTERFACES);
    fs::write(gateway.site(), SITE).unwrap();
    let path = gateway.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::gateway::PATIENCE)).unwrap();
    let hear = || {
        let mut buffer = [0; 4096];
        let octets = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..octets]).into_owned()
    };
    let hear_until = |word: &str| while !hear().contains(word) {};

    let mut command = gateway.command();
    gateway.spawn(command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000"));

    let first = hear();
    assert!(first.contains("READY=1") && first.contains("STATUS="), "{first}");
    for _ in 0..3 {
        hear_until("WATCHDOG=1");
    }
    gateway.signal(Signal::SIGTERM);
    hear_until("STOPPING=1");
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn health_and_reflection_answer_on_the_same_socket() {
    enter_new_namespaces();
    let _cables = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();

    let mut health = HealthClient::new(client.channel.clone());
    for service in ["", "sluice.v1.GatewayConfig", "sluice.v1.GatewayState"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let status = client.wait(health.check(request)).unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service:?}");
    }
    let names = client.wait(reflected_services(&client));
    for service in ["grpc.health.v1.Health", "sluice.v1.GatewayConfig", "sluice.v1.GatewayState"] {
        assert!(names.iter().any(|name| name == service), "{names:?}");
    }
    gateway.stop();
}

async fn reflected_services(client: &crate::client::Client) -> Vec<String> {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let mut reflection = ServerReflectionClient::new(client.channel.clone());
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = tokio_stream::iter([request]);
    let mut answers = reflection.server_reflection_info(requests).await.unwrap().into_inner();
    match answers.message().await.unwrap().unwrap().message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => {
            list.service.into_iter().map(|service| service.name).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn many_clients_and_changes_at_once_are_all_answered_while_frames_flow() {
    const ROUNDS: u32 = 12;
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();
    let socket = gateway.socket();
    let ask = |worker: u32| {
        let client = crate::client::Client::connect(&socket).unwrap();
        for round in 0..ROUNDS {
            let document =
                format!("bridges: [{{name: b{worker}, vni: {}}}]", worker * 100 + round + 1);
            let reply = client.apply(v1::ApplyRequest { document, ..Default::default() }).unwrap();
            assert!(reply.programmed);
            client.status();
            client.macs(v1::ListMacsRequest::default());
            client.drops();
            assert_eq!(client.accounting().difference, 0);
        }
    };

    let done = std::sync::atomic::AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let askers: Vec<_> = (1..=6).map(|worker| scope.spawn(move || ask(worker))).collect();
        let frames = scope.spawn(|| {
            let mut sent = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                trunk.send(&tagged(10, ALL, station(1), sent));
                assert_eq!(number(&guest.expect()), sent, "a frame was lost");
                sent += 1;
            }
            sent
        });
        for asker in askers {
            asker.join().unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        frames.join().unwrap()
    });

    assert!(sent > 0);
    assert_eq!(client.status().revision, 1 + 6 * u64::from(ROUNDS));
    gateway.stop();
}
