package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/spec"
)

// ask is the first section: what a reviewer is to do.
type ask struct {
	Lead     string
	Warnings []string
	Facts    []fact
	Digest   string
	Commands []command
	Filling  string
}

// command is a line for a shell; its words are kept whole where the line wraps.
type command struct {
	Label string
	Words []string
}

func askOf(d Dossier, digest artifact.Digest) ask {
	if refused(d) {
		return ask{
			Lead:     "Nothing is asked of anyone: the spec refuses a candidate that does not meet its conditions, and this one does not. This page shows why.",
			Warnings: warnings(d), Digest: digest.String(),
		}
	}
	a := ask{
		Lead:     "Decide whether this candidate may become the first version of " + d.Model + " to serve. No version serves yet.",
		Warnings: warnings(d),
		Digest:   digest.String(),
		Commands: commands(d, digest),
		Filling:  filling(d.Review),
	}
	if d.Champion != nil {
		a.Lead = fmt.Sprintf("Decide whether this candidate may take the place of version %d of %s, which serves now.", d.Champion.Version, d.Model)
	}
	a.Facts = []fact{
		{Term: "Asked by", Detail: or(d.Requester, "nobody named")},
		{Term: "Owner", Detail: or(d.Owner, "nobody named")},
		{Term: "Why now", Detail: why(d.Trigger.Kind, d.Trigger.Reason)},
		{Term: "Answer before", Detail: deadline(d)},
		{Term: "Approvals needed", Detail: quorum(d.Review)},
		{Term: "What ends it", Detail: "One rejection, or one request for changes, by a holder of a role ends the review at once."},
	}
	if len(d.Review.Separate) > 0 {
		a.Facts = append(a.Facts, fact{Term: "Who may not decide", Detail: or(d.Requester, "The requester") + ", who asked for this, may not decide on it."})
	}
	if e := d.Review.Escalate; e != nil {
		a.Facts = append(a.Facts, fact{Term: "If nobody answers", Detail: fmt.Sprintf("After %s %s is told. Being told gives no vote.", span(time.Duration(e.After)), list(e.To))})
	}
	return a
}

// refused reports whether the candidate is refused before anybody is asked.
func refused(d Dossier) bool {
	if d.Gate.Verdict == gate.Fail {
		return d.Failing != spec.FailingReviewed
	}
	return d.Gate.Verdict == gate.Inconclusive && d.Gate.Settled == gate.Fail
}

// undecidedWarning begins the dossier's warning that has all doubtful conditions in one paragraph.
const undecidedWarning = "The gate's verdict is inconclusive"

// warnings are those of the dossier and of its stages, each once. Conditions whose doubt is put to the reviewers come first, one
// by one, in place of the paragraph that has them all.
func warnings(d Dossier) []string {
	var all []string
	apart := d.Gate.Verdict == gate.Inconclusive && d.Gate.Policy == gate.AskPeople
	if apart || d.Gate.Verdict == gate.Fail && !refused(d) {
		all = doubts(d)
	}
	for _, w := range slices.Concat(d.Warnings, d.Validation.Warnings, d.Prepared.Warnings, d.Training.Warnings) {
		if !slices.Contains(all, w) && !(apart && strings.HasPrefix(w, undecidedWarning)) {
			all = append(all, w)
		}
	}
	return all
}

// doubts are a sentence or two on each condition that is not met and put to the reviewers all the same, and on each that cannot be
// told.
func doubts(d Dossier) []string {
	var all []string
	for _, r := range d.Gate.Results {
		if r.Verdict == gate.Fail {
			all = append(all, "Not met, and put to you all the same: "+openConditionOf(r).Text)
			continue
		}
		if r.Verdict != gate.Inconclusive {
			continue
		}
		text := "Cannot be told: " + openConditionOf(r).Text
		if _, ok := understood(r.Condition); ok {
			text += " " + needs(r, formOfResult(r), allLabelled(d.Evaluation))
		}
		all = append(all, strings.TrimSpace(text))
	}
	return all
}

func why(kind, reason string) string {
	words := map[string]string{
		"manual":   "Someone started it.",
		"schedule": "A schedule started it.",
		"drift":    "The data the serving model receives has drifted, and retraining started by itself.",
		"data":     "New data arrived, and retraining started by itself.",
	}[kind]
	return strings.TrimSpace(or(words, kind) + " " + reason)
}

// deadline is counted from the dossier's time, which is just before the review opens, so that the time shown is never
// later than the true one.
func deadline(d Dossier) string {
	length := time.Duration(d.Review.Deadline)
	if d.Created.IsZero() || length <= 0 {
		return "The spec states no deadline."
	}
	return fmt.Sprintf("%s, which is %s after this dossier was made. Without the approvals by then the candidate is refused; silence never approves.",
		moment(d.Created.Add(length)), span(length))
}

func quorum(r spec.Review) string {
	if len(r.Quorum) == 0 {
		return "The spec names no roles."
	}
	seats := make([]string, len(r.Quorum))
	total := 0
	for i, s := range r.Quorum {
		seats[i] = fmt.Sprintf("%s in the role %s", countOf(s.Approvals, "approval", "approvals"), s.Role)
		total += s.Approvals
	}
	text := list(seats) + "."
	if total > 1 {
		text += " Each person counts once."
	}
	return text
}

// commands are the lines a reviewer runs. With several roles, ROLE stands for the reviewer's own.
func commands(d Dossier, digest artifact.Digest) []command {
	role := "ROLE"
	if len(d.Review.Quorum) == 1 {
		role = shellWord(d.Review.Quorum[0].Role)
	}
	var lines []command
	for _, verb := range []struct{ name, label string }{
		{"approve", "To approve:"}, {"reject", "To reject:"}, {"request-changes", "To ask for changes:"},
	} {
		words := []string{"starter", verb.name, shellWord(d.Lifecycle), "--as NAME", "--role " + role, "--dossier " + digest.String(), "--reason TEXT"}
		lines = append(lines, command{verb.label, words})
	}
	return lines
}

// filling says what stands in place of the capital letters of the commands.
func filling(r spec.Review) string {
	text := "Put your own name in place of NAME and your reason, in quotes, in place of TEXT."
	if len(r.Quorum) > 1 {
		roles := make([]string, len(r.Quorum))
		for i, s := range r.Quorum {
			roles[i] = shellWord(s.Role)
		}
		text += " ROLE is the role you decide in: " + strings.Join(roles, " or ") + "."
	}
	return text + " Name, role and reason are kept on the model’s record."
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellWord quotes a word for a POSIX shell where it needs quotes, since reviewers paste these lines.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
