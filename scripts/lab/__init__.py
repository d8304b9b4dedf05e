"""The lab: namespaces, a software 802.1Q switch, captures and the demo.

Everything here needs Python 3.11 or later and iproute2, nothing else. Only the end-to-end tests
under `e2e/` also use scapy and tshark, as independent judges of bytes.
"""
