"""End-to-end tests: the real daemon on real devices, scapy and tshark as judges of the octets."""
