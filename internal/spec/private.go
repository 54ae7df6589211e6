package spec

import "fmt"

// Private asks for differentially private training: no row of the training part can be told from the model by more than epsilon
// and delta allow.
type Private struct {
	Epsilon      float64 `json:"epsilon" yaml:"epsilon"`
	Delta        float64 `json:"delta" yaml:"delta"`
	Clip         float64 `json:"clip,omitempty" yaml:"clip,omitempty"`
	Steps        int     `json:"steps,omitempty" yaml:"steps,omitempty"`
	Rate         float64 `json:"rate,omitempty" yaml:"rate,omitempty"`
	LearningRate float64 `json:"learning_rate,omitempty" yaml:"learning_rate,omitempty"`
}

// Budget is what all private trainings on a data set may cost together.
type Budget struct {
	Dataset string  `json:"dataset" yaml:"dataset"` // name under which the account is kept, whatever the model
	Epsilon float64 `json:"epsilon" yaml:"epsilon"`
	Delta   float64 `json:"delta" yaml:"delta"`
}

func (d *decoder) checkPrivacy(s *Spec) {
	d.checkPersonal(s)
	if n := s.Privacy.Attack.Shadows; n%2 != 0 && !d.known("privacy.attack.shadows") {
		d.complain("privacy.attack.shadows", fmt.Sprintf("found %d shadow models", n), "expected an even number, such as 16: they come in pairs")
	}
	const path = "train.private"
	switch p := s.Train.Private; {
	case p == nil && s.Privacy.Budget != nil:
		d.complain("privacy.budget", "found a budget without train.private", "add train.private with epsilon and delta, or leave the budget out: only private training can be accounted for")
	case p == nil:
	case s.Train.Trainer != TrainerLogistic:
		d.complain(path, "found it with trainer: "+s.Train.Trainer, "leave it out: only the built-in trainer makes a model private; a program of yours does so by itself")
	case s.Train.Sweep != nil:
		d.complain(path, "found it beside a sweep", "leave one out: every trial would cost privacy")
	case s.Data.Weight != "" || len(s.Mitigation.Reweighing) > 0:
		d.complain(path, "found it with weighted rows", "leave data.weight and mitigation.reweighing out: a weight lets a row count for more than privacy allows")
	case s.Privacy.Budget != nil && s.Privacy.Budget.Epsilon > 0 && p.Epsilon > s.Privacy.Budget.Epsilon && p.Delta >= s.Privacy.Budget.Delta:
		d.complain(path+".epsilon", fmt.Sprintf("found epsilon %.15g above the budget's %.15g", p.Epsilon, s.Privacy.Budget.Epsilon), "expected at most that")
	}
}
