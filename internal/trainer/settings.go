package trainer

import (
	"fmt"
	"math"

	"github.com/assay-ml/assay/internal/spec"
)

// Settings of the logistic trainer.
type Settings struct {
	L2            *float64 // penalty strength; nil is 1.0
	MaxIterations int      // 0 is 1000
	Tolerance     float64  // of the gradient's largest entry per example; 0 is 1e-7
}

// SettingsOf reads the spec's parameters. Names or values that the logistic trainer does not take are an *InputError.
func SettingsOf(p spec.Parameters) (Settings, error) {
	var s Settings
	for name, value := range p {
		f, isNumber := value.Float()
		if !isNumber {
			return s, &InputError{Problem: fmt.Sprintf("train.parameters.%s is no number", name), Advice: "give one"}
		}
		switch name {
		case spec.ParameterL2:
			s.L2 = &f
		case spec.ParameterMaxIterations:
			if f != math.Trunc(f) || f < 1 || f > 1e9 {
				return s, &InputError{Problem: fmt.Sprintf("train.parameters.max_iterations is %s", value), Advice: "give a whole number of 1 or more"}
			}
			s.MaxIterations = int(f)
		case spec.ParameterTolerance:
			s.Tolerance = f
		default:
			return s, &InputError{Problem: fmt.Sprintf("train.parameters.%s: the logistic trainer has no such parameter", name),
				Advice: "it takes l2, max_iterations and tolerance"}
		}
	}
	return s, nil
}

func (s Settings) withDefaults() Settings {
	if s.L2 == nil {
		one := 1.0
		s.L2 = &one
	}
	if s.MaxIterations == 0 {
		s.MaxIterations = 1000
	}
	if s.Tolerance == 0 {
		s.Tolerance = 1e-7
	}
	return s
}

// parameters is what SettingsOf reads, every field of it.
func (s Settings) parameters() spec.Parameters {
	return spec.Parameters{
		spec.ParameterL2: spec.Number(*s.L2), spec.ParameterMaxIterations: spec.Number(float64(s.MaxIterations)), spec.ParameterTolerance: spec.Number(s.Tolerance),
	}
}
