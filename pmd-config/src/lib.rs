//! The machine Sluice runs on: probe, plan, checks, bring-up.
