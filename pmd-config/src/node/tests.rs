use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

#[track_caller]
fn good(text: &str) -> NodeFile {
    NodeFile::parse("sluice.toml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[track_caller]
fn errors(text: &str) -> NodeErrors {
    match NodeFile::parse("sluice.toml", text) {
        Err(errors) => errors,
        Ok(file) => panic!("accepted: {file:?}"),
    }
}

/// `expected` is `line:column message; help` of each error, one a line.
#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let errors = errors(text);
    let found: Vec<String> = errors
        .iter()
        .map(|e| format!("{}:{} {}; {}", e.line, e.column, e.message, e.help))
        .collect();
    assert_eq!(found, expected);
}

#[track_caller]
fn kind(section: &str) -> Kind {
    let file = good(&format!("[interfaces.p1]\n{section}"));
    file.interfaces.into_iter().next().unwrap().kind
}

#[test]
fn an_empty_file_means_the_defaults() {
    let expected = NodeFile {
        name: None,
        cores: Cores::Auto,
        memory: Memory::Auto,
        site: "/etc/sluice/site.yaml".into(),
        state: "/var/lib/sluice".into(),
        control_socket: "/run/sluice/sluiced.sock".into(),
        interfaces: Vec::new(),
    };
    assert_eq!(good(""), expected);
}

#[test]
fn every_top_level_key_is_read() {
    let file = good(
        "name = \"gw-a\"\ncores = \"2,4-7\"\nmemory = \"512MiB\"\nsite = \"/s.yaml\"\n\
         state = \"/s\"\n[control]\nsocket = \"/c.sock\"\n",
    );
    assert_eq!(file.name.unwrap().as_str(), "gw-a");
    assert_eq!(file.cores, Cores::List("2,4-7".parse().unwrap()));
    assert_eq!(file.memory, Memory::Amount(Octets::mib(512)));
    assert_eq!((file.site, file.state), ("/s.yaml".into(), "/s".into()));
    assert_eq!(file.control_socket, PathBuf::from("/c.sock"));
}

#[test]
fn interfaces_keep_the_order_of_the_text() {
    let file = good(
        "interfaces.z.kind = \"null\"\n[interfaces.b]\nkind = \"ring\"\nmtu = 9000\n[interfaces.a]\nkind = \"null\"\n",
    );
    let found: Vec<_> = file.interfaces.iter().map(|i| (i.name.as_str(), i.mtu)).collect();
    assert_eq!(found, [("z", 1500), ("b", 9000), ("a", 1500)]);
}

#[test]
fn every_kind_is_read_with_its_defaults() {
    let interface = || "p1".to_owned();
    assert_eq!(kind("kind = \"af_packet\""), Kind::AfPacket { interface: interface() });
    assert_eq!(
        kind("kind = \"af_packet\"\ninterface = \"eth1\""),
        Kind::AfPacket { interface: "eth1".to_owned() }
    );
    assert_eq!(kind("kind = \"tap\""), Kind::Tap { interface: interface() });
    let memif = Kind::Memif { role: Role::Server, socket: "/m".into(), id: 0 };
    assert_eq!(kind("kind = \"memif\"\nsocket = \"/m\""), memif);
    let memif = Kind::Memif { role: Role::Client, socket: "/m".into(), id: 7 };
    assert_eq!(kind("kind = \"memif\"\nsocket = \"/m\"\nrole = \"client\"\nid = 7"), memif);
    let vhost = Kind::VhostUser { role: Role::Server, socket: "/v".into() };
    assert_eq!(kind("kind = \"vhost-user\"\nsocket = \"/v\""), vhost);
    let virtio = Kind::VirtioUser { socket: "/v".into() };
    assert_eq!(kind("kind = \"virtio-user\"\nsocket = \"/v\""), virtio);
    let pcap = Kind::Pcap { rx: Some("/a".into()), tx: None };
    assert_eq!(kind("kind = \"pcap\"\nrx = \"/a\""), pcap);
    assert_eq!(kind("kind = \"ring\""), Kind::Ring);
    assert_eq!(kind("kind = \"null\""), Kind::Null);
}

#[test]
fn a_card_is_named_by_address_mac_or_kernel_name() {
    let address = "0000:3b:00.0".parse().unwrap();
    let by_address = Kind::Pci(PciSelector::Address(address));
    assert_eq!(kind("kind = \"pci\"\naddress = \"0000:3b:00.0\""), by_address);
    assert_eq!(kind("kind = \"pci\"\naddress = \"3b:00.0\""), by_address);
    let mac = PciSelector::Mac(Mac([0x52, 0x54, 0, 0, 0, 1]));
    assert_eq!(kind("kind = \"pci\"\nmac = \"52:54:00:00:00:01\""), Kind::Pci(mac));
    let kernel = PciSelector::Kernel("ens1f0".to_owned());
    assert_eq!(kind("kind = \"pci\"\nkernel = \"ens1f0\""), Kind::Pci(kernel));
}

#[test]
fn an_error_shows_the_line_marks_the_place_and_says_what_to_do() {
    let text = "name = \"gw-a\"\ncorse = \"2,4-7\"\n";
    assert_eq!(
        errors(text).to_string(),
        "sluice.toml:2:1: unknown key \"corse\"\n\
         2 | corse = \"2,4-7\"\n\
         \u{20} | ^^^^^\n\
         \u{20} = help: did you mean \"cores\"?"
    );
}

#[test]
fn all_errors_of_a_file_are_reported_at_once_in_its_order() {
    refused(
        "memory = \"512\"\n[interfaces.a]\nkind = \"tpa\"\n[interfaces.b]\nmtu = 9\nkind = \"null\"",
        &[
            "1:10 memory: \"512\" has no unit: write \"512MiB\" or \"512GiB\"; write \"auto\", or an amount such as \"512MiB\"",
            "3:8 interfaces.a: unknown kind \"tpa\"; did you mean \"tap\"?",
            "5:7 interfaces.b.mtu: 9 is out of range; write a whole number from 68 to 9600",
        ],
    );
}

const LIST: &str = "write \"auto\", or the CPUs that workers run on as a list such as \"2,4-7\"";

#[test]
fn bad_cores_are_refused() {
    for (value, message) in [
        ("\"0xf0\"", "\"0xf0\" is a mask: expected a list of CPU numbers such as \"2,4-7\""),
        ("\"-l 2\"", "\"-l 2\" is not a CPU number or a range: expected a list such as \"2,4-7\""),
        ("\"\"", "the list is empty: expected CPU numbers such as \"2,4-7\""),
        ("\"all\"", "\"all\" is not a CPU number or a range: expected a list such as \"2,4-7\""),
        ("\"4-2\"", "4-2 is an empty range: write the smaller number first"),
        ("\"2,2\"", "CPU 2 is named twice"),
        ("4", "is 4 a CPU or a number of CPUs? A list is text: expected it in quotes"),
        ("[2, 4]", "expected text, found a list in brackets"),
        ("true", "expected text, found true or false"),
    ] {
        refused(&format!("cores = {value}"), &[&format!("1:9 cores: {message}; {LIST}")]);
    }
}

#[test]
fn bad_memory_is_refused() {
    const HELP: &str = "write \"auto\", or an amount such as \"512MiB\"";
    for (value, message) in [
        ("\"512\"", "\"512\" has no unit: write \"512MiB\" or \"512GiB\""),
        ("\"512MB\"", "\"MB\" is not a unit of memory: expected KiB, MiB or GiB"),
        (
            "\"lots\"",
            "\"lots\" is not an amount of memory: expected a whole number and a unit, such as \"512MiB\"",
        ),
        ("512", "expected text, found a whole number"),
    ] {
        refused(&format!("memory = {value}"), &[&format!("1:10 memory: {message}; {HELP}")]);
    }
}

#[test]
fn bad_names_and_paths_are_refused() {
    let name = "write 1 to 63 letters, digits, '-', '_' or '.', starting with a letter or digit";
    refused("name = \"gw a\"", &[&format!("1:8 name: \"gw a\" is not a name; {name}")]);
    refused(
        "[interfaces.\"-x\"]\nkind = \"null\"",
        &[&format!("1:13 interfaces: \"-x\" is not a name; {name}")],
    );
    refused(
        "site = \"site.yaml\"",
        &[
            "1:8 site: \"site.yaml\" is not an absolute path; write an absolute path such as \"/etc/sluice/site.yaml\"",
        ],
    );
    refused(
        "state = \"/a,b\"",
        &[
            "1:9 state: \"/a,b\" contains ',', which no path here may contain; write an absolute path such as \"/var/lib/sluice\"",
        ],
    );
    let long = format!("/{}", "x".repeat(107));
    refused(
        &format!("[control]\nsocket = \"{long}\""),
        &[
            "2:10 control.socket: the path has 108 characters, a socket's at most 107; choose a shorter folder, such as /run/sluice",
        ],
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    refused(
        "[control]\nsock = \"/a\"",
        &["2:1 unknown key \"control.sock\"; did you mean \"socket\"?"],
    );
    refused("[interface.a]", &["1:2 unknown key \"interface\"; did you mean \"interfaces\"?"]);
    refused(
        "eal_flags = \"-l 1\"",
        &[
            "1:1 unknown key \"eal_flags\"; known here: control, cores, interfaces, memory, name, site, state",
        ],
    );
    refused(
        "[interfaces.a]\nkind = \"null\"\ninterface = \"eth1\"",
        &["3:1 unknown key \"interfaces.a.interface\"; known here: kind, mtu"],
    );
    refused(
        "[interfaces.a]\nkind = \"tap\"\nmut = 9000",
        &["3:1 unknown key \"interfaces.a.mut\"; did you mean \"mtu\"?"],
    );
}

#[test]
fn a_kind_must_be_given_and_known() {
    const KINDS: &str = "write kind = with one of: pci, af_packet, tap, memif, vhost-user, virtio-user, ring, pcap, null";
    refused("[interfaces.a]", &[&format!("1:13 interfaces.a has no kind; {KINDS}")]);
    refused(
        "[interfaces.a]\nkind = 1",
        &[&format!("2:8 interfaces.a.kind: expected text, found a whole number; {KINDS}")],
    );
    refused(
        "[interfaces.a]\nkind = \"dpdk\"",
        &[&format!("2:8 interfaces.a: unknown kind \"dpdk\"; {KINDS}")],
    );
    refused(
        "[interfaces.a]\nkind = \"afpacket\"",
        &["2:8 interfaces.a: unknown kind \"afpacket\"; did you mean \"af_packet\"?"],
    );
    refused(
        "[interfaces]\na = 1",
        &[
            "2:5 interfaces.a: expected a section, found a whole number; write a section [interfaces.a]",
        ],
    );
    refused(
        "interfaces = 1",
        &[
            "1:14 interfaces: expected a section, found a whole number; write a section [interfaces]",
        ],
    );
}

#[test]
fn a_kind_lacks_what_it_needs() {
    const CARD: &str = "write one of address = \"0000:3b:00.0\", mac = \"..\" or kernel = \"..\"";
    for (section, expected) in [
        ("kind = \"pci\"", format!("1:13 interfaces.p1 does not say which card it is; {CARD}")),
        (
            "kind = \"pci\"\naddress = \"3b:00.0\"\nkernel = \"eth1\"",
            format!("1:13 interfaces.p1 names its card more than once; {CARD}"),
        ),
        (
            "kind = \"memif\"",
            "1:13 interfaces.p1 needs a socket; add socket = \"/run/sluice/memif.sock\"".to_owned(),
        ),
        (
            "kind = \"vhost-user\"",
            "1:13 interfaces.p1 needs a socket; add socket = \"/run/sluice/vm1.sock\"".to_owned(),
        ),
        (
            "kind = \"virtio-user\"",
            "1:13 interfaces.p1 needs a socket; add socket = \"/run/sluice/vm1.sock\"".to_owned(),
        ),
        (
            "kind = \"pcap\"",
            "1:13 interfaces.p1 has neither rx nor tx; add rx = \"/path/in.pcap\", tx = \"/path/out.pcap\" or both".to_owned(),
        ),
    ] {
        refused(&format!("[interfaces.p1]\n{section}"), &[&expected]);
    }
}

#[test]
fn what_a_kind_is_told_must_make_sense() {
    const NAME: &str =
        "write the kernel's name as `ip link` shows it: at most 15 characters, no spaces, no '/'";
    for (section, expected) in [
        ("kind = \"tap\"\ninterface = \"abcdefghijklmnop\"", format!("3:13 interfaces.p1.interface: \"abcdefghijklmnop\" has 16 characters, a kernel interface name at most 15; {NAME}")),
        ("kind = \"tap\"\ninterface = \"a/b\"", format!("3:13 interfaces.p1.interface: \"a/b\" is not a kernel interface name; {NAME}")),
        ("kind = \"af_packet\"\ninterface = \"\"", format!("3:13 interfaces.p1.interface: \"\" is not a kernel interface name; {NAME}")),
        ("kind = \"pci\"\naddress = \"3b:00\"", "3:11 interfaces.p1.address: \"3b:00\" is not a PCI address; write the address as lspci -D prints it, such as \"0000:3b:00.0\"".to_owned()),
        ("kind = \"pci\"\nmac = \"5254:00:00:00:01\"", "3:7 interfaces.p1.mac: \"5254:00:00:00:01\" is not a MAC address; write six pairs of hexadecimal digits, such as \"52:54:00:12:34:56\"".to_owned()),
        ("kind = \"memif\"\nsocket = \"/m\"\nrole = \"master\"", "4:8 interfaces.p1.role: \"master\" is not a role; write \"server\" (the gateway listens) or \"client\" (the peer listens)".to_owned()),
        ("kind = \"memif\"\nsocket = \"/m\"\nid = -1", "4:6 interfaces.p1.id: -1 is out of range; write a whole number from 0 to 4294967295".to_owned()),
        ("kind = \"memif\"\nsocket = \"m\"", "3:10 interfaces.p1.socket: \"m\" is not an absolute path; write an absolute path such as \"/run/sluice/memif.sock\"".to_owned()),
        ("kind = \"pcap\"\nrx = \"/a\"\ntx = \"/a\"", "4:6 interfaces.p1 reads and writes the same file /a; write tx to another file".to_owned()),
        ("kind = \"null\"\nmtu = 65536", "3:7 interfaces.p1.mtu: 65536 is out of range; write a whole number from 68 to 9600".to_owned()),
        (
            "kind = \"tap\"\nmtu = 1501",
            "3:7 interfaces.p1.mtu: 1501 is more than a tap carries; write 1500 or less, or use kind = \"af_packet\" on a veth".to_owned(),
        ),
        ("kind = \"null\"\nmtu = \"1500\"", "3:7 interfaces.p1.mtu: expected a number, found text; write a whole number from 68 to 9600".to_owned()),
    ] {
        refused(&format!("[interfaces.p1]\n{section}"), &[&expected]);
    }
}

#[test]
fn a_default_kernel_name_must_fit_too() {
    refused(
        "[interfaces.a-name-of-17-char]\nkind = \"tap\"",
        &[
            "1:13 interfaces.a-name-of-17-char: \"a-name-of-17-char\" has 17 characters, a kernel interface name at most 15; add interface = with the kernel's name of it",
        ],
    );
}

#[test]
fn two_interfaces_cannot_have_the_same_thing() {
    for (first, second, what) in [
        (
            "kind = \"af_packet\"\ninterface = \"e\"",
            "kind = \"af_packet\"\ninterface = \"e\"",
            "the kernel interface e",
        ),
        (
            "kind = \"af_packet\"\ninterface = \"e\"",
            "kind = \"tap\"\ninterface = \"e\"",
            "the kernel interface e",
        ),
        (
            "kind = \"pci\"\nkernel = \"e\"",
            "kind = \"tap\"\ninterface = \"e\"",
            "the kernel interface e",
        ),
        (
            "kind = \"pci\"\naddress = \"3b:00.0\"",
            "kind = \"pci\"\naddress = \"0000:3b:00.0\"",
            "the card 0000:3b:00.0",
        ),
        (
            "kind = \"memif\"\nsocket = \"/m\"",
            "kind = \"memif\"\nsocket = \"/m\"",
            "the server end of memif 0 on /m",
        ),
        (
            "kind = \"vhost-user\"\nsocket = \"/v\"",
            "kind = \"vhost-user\"\nsocket = \"/v\"",
            "the socket /v",
        ),
        ("kind = \"pcap\"\ntx = \"/t\"", "kind = \"pcap\"\ntx = \"/t\"", "the capture file /t"),
    ] {
        let text = format!("[interfaces.a]\n{first}\n[interfaces.b]\n{second}\n");
        let errors = errors(&text);
        let error = errors.iter().next().unwrap();
        assert_eq!(
            error.message,
            format!("interfaces.b needs {what}, which interfaces.a (line 3) already has")
        );
        assert_eq!(error.help, "give interfaces.b another one, or remove one of the two");
        assert_eq!((errors.iter().count(), error.line), (1, 6));
    }
}

#[test]
fn an_interface_cannot_take_the_control_socket() {
    refused(
        "[control]\nsocket = \"/c\"\n[interfaces.a]\nkind = \"vhost-user\"\nsocket = \"/c\"",
        &[
            "5:10 interfaces.a needs the socket /c, which control.socket (line 2) already has; give interfaces.a another one, or remove one of the two",
        ],
    );
}

#[test]
fn both_ends_of_one_socket_may_be_here() {
    let file = good(
        "[interfaces.a]\nkind = \"vhost-user\"\nsocket = \"/v\"\n[interfaces.b]\nkind = \"virtio-user\"\nsocket = \"/v\"\n",
    );
    assert_eq!(file.interfaces.len(), 2);
    let file = good(
        "[interfaces.a]\nkind = \"memif\"\nsocket = \"/m\"\n[interfaces.b]\nkind = \"memif\"\nsocket = \"/m\"\nid = 1\n",
    );
    assert_eq!(file.interfaces.len(), 2);
}

#[test]
fn more_interfaces_than_dpdk_drives_are_refused() {
    let many = |count: usize| {
        (0..count).fold(String::new(), |mut text, n| {
            let _ = writeln!(text, "[interfaces.n{n}]\nkind = \"null\"");
            text
        })
    };
    assert_eq!(good(&many(32)).interfaces.len(), 32);
    refused(
        &many(34),
        &["65:13 34 interfaces: at most 32 are possible; remove 2: DPDK here is built for no more"],
    );
}

#[test]
fn text_that_is_not_toml_is_refused_at_its_place() {
    let errors = errors("name = \"gw-a\"\ncores = \n");
    let error = errors.iter().next().unwrap();
    assert_eq!((error.line, errors.iter().count()), (2, 1));
    let twice = self::errors("name = \"a\"\nname = \"b\"\n");
    assert_eq!(twice.iter().next().unwrap().line, 2);
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _ = NodeFile::parse("sluice.toml", &text).map_err(|errors| errors.to_string());
    }

    #[test]
    fn a_damaged_file_never_panics(at in 0usize..200, junk in "\\PC{0,3}") {
        let mut text = "name = \"gw-a\"\ncores = \"2,4-7\"\nmemory = \"512MiB\"\n[control]\nsocket = \"/c\"\n\
            [interfaces.a]\nkind = \"memif\"\nsocket = \"/m\"\nid = 3\nmtu = 9000\n".to_owned();
        let at = at.min(text.len());
        text.insert_str(at, &junk);
        let _ = NodeFile::parse("sluice.toml", &text).map_err(|errors| errors.to_string());
    }
}
