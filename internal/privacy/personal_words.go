package privacy

import (
	"fmt"
	"strings"
)

var kindWords = map[PersonalKind]string{
	Email: "e-mail addresses", Phone: "phone numbers", PaymentCard: "payment card numbers", IBAN: "bank account numbers (IBAN)",
	NationalID: "national identity numbers", HealthNumber: "health or insurance numbers", IPAddress: "IP addresses", MACAddress: "hardware addresses (MAC)",
	URLUser: "web addresses with a user’s name or password", Position: "positions on the map",
	PersonName: "names of people", PostalAddress: "postal addresses", DateOfBirth: "dates of birth", AccountName: "names or numbers of accounts",
	Identifier: "a value of its own for nearly every row", FreeText: "free text",
}

// Words name a kind for people, as what a column holds.
func (k PersonalKind) Words() string {
	if words, ok := kindWords[k]; ok {
		return words
	}
	return strings.ReplaceAll(string(k), "_", " ")
}

// Counting are the findings that somebody has to look at or that nothing may be trained on, the strongest of each column, in the
// order of the columns, of at least the certainty.
func (r ScanReport) Counting(least Certainty) []Finding {
	var found []Finding
	seen := map[string]bool{}
	for _, f := range r.Findings {
		if f.Verdict != ScanPass && !seen[f.Column] && f.Certainty.rank() <= least.rank() {
			seen[f.Column] = true
			found = append(found, f)
		}
	}
	return found
}

// mostNamed bounds the columns in a sentence.
const mostNamed = 5

// NamedColumns lists columns with what they hold: "mail" (e-mail addresses, certain).
func NamedColumns(found []Finding) string {
	var parts []string
	for _, f := range found[:min(len(found), mostNamed)] {
		parts = append(parts, fmt.Sprintf("%q (%s, %s)", f.Column, f.Kind.Words(), f.Certainty))
	}
	if left := len(found) - len(parts); left > 0 {
		parts = append(parts, fmt.Sprintf("%d more", left))
	}
	return strings.Join(parts, ", ")
}

// Warning is a sentence for reviewers about columns that certainly or likely hold personal data and that the model is given; empty
// when there are none.
func (r ScanReport) Warning() string {
	found := r.Counting(Likely)
	switch len(found) {
	case 0:
		return ""
	case 1:
		return "The model is given a column that seems to hold personal data: " + NamedColumns(found) + "."
	}
	return fmt.Sprintf("The model is given %d columns that seem to hold personal data: %s.", len(found), NamedColumns(found))
}
