// Package fairness compares what a model does to the groups of people, and what the data says of them.
package fairness

// Report is how the groups of the protected columns are treated: one of the three by what is predicted.
type Report struct {
	Examination *Examination        `json:"examination,omitempty"` // of two classes
	Classes     *ClassesExamination `json:"classes,omitempty"`     // of several
	Numbers     *NumbersExamination `json:"numbers,omitempty"`     // of a regression
}
