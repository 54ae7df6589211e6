package model

import (
	"fmt"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// check refuses a schema that could not be told apart by name or looked up by binary search.
func (s Schema) check() error {
	if err := s.checkTask(); err != nil {
		return err
	}
	seen := make(map[string]bool, len(s.Features))
	for _, f := range s.Features {
		if seen[f.Name] {
			return fmt.Errorf("feature %q appears twice", f.Name)
		}
		seen[f.Name] = true
		if f.Kind != table.Numeric && f.Kind != table.Categorical {
			return fmt.Errorf("feature %q: unknown kind %q; expected %s or %s", f.Name, f.Kind, table.Numeric, table.Categorical)
		}
		if f.Kind == table.Numeric && len(f.Levels) > 0 {
			return fmt.Errorf("feature %q is numeric and must have no levels", f.Name)
		}
		if !utf8.ValidString(f.Name) {
			return fmt.Errorf("feature %q: its name is not valid UTF-8", f.Name)
		}
		for k, level := range f.Levels {
			if !utf8.ValidString(level) {
				return fmt.Errorf("feature %q: level %d is not valid UTF-8", f.Name, k)
			}
			if k > 0 && f.Levels[k-1] >= level {
				return fmt.Errorf("feature %q: its levels are not sorted or not distinct at level %d", f.Name, k)
			}
		}
	}
	return nil
}

// checkTask refuses a schema whose scores have two meanings or none.
func (s Schema) checkTask() error {
	task := s.TaskOf()
	if task != stats.Binary && (s.Positive != "" || s.Negative != "") {
		return fmt.Errorf("task %s: target %q has a positive or a negative value; expected these of a binary model only", task, s.Target)
	}
	if task != stats.Multiclass && len(s.Classes) > 0 {
		return fmt.Errorf("task %s: target %q has %d classes listed; expected these of a multiclass model only", task, s.Target, len(s.Classes))
	}
	switch task {
	case stats.Binary:
		if s.Positive == s.Negative {
			return fmt.Errorf("the positive and the negative value of target %q are equal", s.Target)
		}
	case stats.Multiclass:
		return s.checkClasses()
	case stats.Regression:
	default:
		return fmt.Errorf("unknown task %q; expected binary, multiclass or regression", task)
	}
	return nil
}

func (s Schema) checkClasses() error {
	if n := len(s.Classes); n < 2 || n > table.MostClasses {
		return fmt.Errorf("target %q has %d classes; expected 2 to %d", s.Target, n, table.MostClasses)
	}
	seen := make(map[string]bool, len(s.Classes))
	for i, class := range s.Classes {
		if !utf8.ValidString(class) {
			return fmt.Errorf("class %d of target %q is not valid UTF-8", i, s.Target)
		}
		if seen[class] {
			return fmt.Errorf("class %d of target %q is there twice", i, s.Target)
		}
		seen[class] = true
	}
	return nil
}
