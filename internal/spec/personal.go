package spec

import (
	"fmt"
	"slices"
)

// Values of privacy.personal_data.
const (
	PersonalReview = "review" // reviewers read what was found
	PersonalRefuse = "refuse" // nothing is trained on certain findings
	PersonalOff    = "off"    // nothing is looked for
)

// Handling is PersonalData or its default.
func (p Privacy) Handling() string {
	if p.PersonalData == "" {
		return PersonalReview
	}
	return p.PersonalData
}

// Identifying are the columns that could identify a person together: QuasiIdentifiers, or the protected ones.
func (s *Spec) Identifying() []string {
	if len(s.Privacy.QuasiIdentifiers) > 0 {
		return s.Privacy.QuasiIdentifiers
	}
	return s.Data.Protected
}

func (d *decoder) checkPersonal(s *Spec) {
	for i, name := range s.Privacy.Sensitive {
		if !slices.Contains(s.Identifying(), name) {
			continue
		}
		advice := "take it off one of the lists"
		if len(s.Privacy.QuasiIdentifiers) == 0 {
			advice = "take it out, or name the columns that could identify a person in privacy.quasi_identifiers, without it: otherwise those are the protected ones"
		}
		d.complain(index("privacy.sensitive", i), fmt.Sprintf("found %q, which is a quasi-identifier too", name), advice+"; whoever knows it has nothing to learn")
	}
	if s.Privacy.PersonalData == PersonalOff && len(s.Privacy.Allow) > 0 {
		d.complain("privacy.allow", "found columns declared fine although personal_data is off", "leave one of the two out")
	}
}
