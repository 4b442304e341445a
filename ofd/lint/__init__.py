"""Whether a document is written as the standards say and as readers need it; repairing what can be repaired safely."""
