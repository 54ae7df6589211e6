package report

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
)

// Markdown gives the page of a dossier as Markdown with tables (GitHub Flavored Markdown), in the order and words of Render, and
// without HTML: pictures are replaced by the sentences beside them. Everything in the dossier is taken as text. The digest is
// that of the dossier's JSON, as Encode gives it; without one the error says so.
func Markdown(d Dossier, digest artifact.Digest) ([]byte, error) {
	if digest.IsZero() {
		return nil, fmt.Errorf("write the dossier of %s as Markdown: it has no digest; expected the one Encode gave", d.Lifecycle)
	}
	return markdownOf(pageOf(d, digest)), nil
}

// MarkdownSealed is to Markdown what RenderSealed is to Render: it hides the same.
func MarkdownSealed(d Dossier, digest artifact.Digest, seal Seal) ([]byte, error) {
	if digest.IsZero() {
		return nil, fmt.Errorf("write the sealed dossier of %s as Markdown: it has no digest; expected the one Encode gave", d.Lifecycle)
	}
	return markdownOf(sealedPageOf(d, digest, seal)), nil
}

func markdownOf(p page) []byte {
	w := &markdown{}
	w.heading(1, p.Model)
	w.strong(p.Verdict.Headline+".", p.Verdict.Explanation)
	w.summary(p.Summary)
	for _, l := range p.Contents {
		w.heading(2, l.Title)
		switch l.ID {
		case "ask":
			w.ask(p.Ask)
		case "conditions":
			w.conditions(p.Verdict)
		case "sealed":
			w.sealed(*p.Sealed)
		case "quality":
			w.quality(p.Quality)
		case "compared":
			w.compared(p.Compared)
		case "treatment":
			w.treatment(p.Treatment)
		case "reliance":
			w.paragraph(p.Reliance.Lead)
			w.bars(p.Reliance.Bars)
			w.paragraph(p.Reliance.Method)
			w.explained(p.Reliance)
		case "data":
			w.paragraph(p.Data.Lead)
			w.facts(p.Data.Facts)
			w.grid(p.Data.Checks)
			for _, g := range p.Data.Groups {
				w.bars(&g)
			}
			w.people(p.Data.People)
			w.drift(p.Data.Drift)
		case "privacy":
			w.paragraph(p.Privacy.Lead)
			w.paragraph(p.Privacy.Paragraphs...)
			w.facts(p.Privacy.Facts)
			w.secrets(p.Privacy)
			if len(p.Privacy.Promise) > 0 {
				w.heading(3, "What training promises")
				w.paragraph(p.Privacy.Promise...)
			}
			if p.Privacy.Attacks != nil {
				w.heading(3, "Whether it gives away whose data it learnt from")
				w.paragraph(p.Privacy.Attacked...)
				w.bars(p.Privacy.Attacks)
			}
		case "making":
			w.making(p.Making)
		case "limits":
			w.list(p.Limits...)
		case "card":
			w.card(p.Card)
		case "methods":
			w.methods(p.Methods)
		case "lineage":
			w.lineage(p.Lineage)
		}
	}
	w.raw("---\n\nDossier " + inlineCode(p.Digest))
	return []byte(strings.TrimRight(w.b.String(), "\n") + "\n")
}

func (w *markdown) summary(s summary) {
	w.heading(2, "In short")
	w.term("What it is for", s.Purpose)
	w.term("Who is affected", s.Affected)
	w.term("What changes", s.Changed)
	w.term("Conditions", s.Passed)
	var open []string
	for _, c := range s.Open {
		open = append(open, "**"+escaped(c.Word)+"** "+escaped(c.Text))
	}
	w.items(open)
	w.paragraph(s.More)
	w.term("If the answer is yes", s.Yes)
	w.term("If it is no", s.No)
}

func (w *markdown) ask(a ask) {
	w.paragraph(a.Lead)
	if len(a.Warnings) > 0 {
		w.strong("Read this first")
		w.list(a.Warnings...)
	}
	if len(a.Commands) == 0 {
		w.raw("Dossier digest " + inlineCode(a.Digest))
		return
	}
	w.facts(a.Facts)
	w.heading(3, "How to decide")
	w.paragraph("A decision is bound to this dossier by its digest: it counts for exactly what is written here, and for nothing that is made later.")
	w.raw("Dossier digest " + inlineCode(a.Digest))
	for _, c := range a.Commands {
		w.command(c)
	}
	w.paragraph(a.Filling)
}

func (w *markdown) conditions(v verdict) {
	w.paragraph(v.Lead, v.Policy)
	for i, c := range v.Conditions {
		w.raw(fmt.Sprintf("### %d. %s", i+1, escaped(c.Statement)))
		text := "**" + escaped(c.Word) + "** " + escaped(c.Reason)
		for _, tag := range c.Tags {
			text += " [" + escaped(tag) + "]"
		}
		w.raw(strings.TrimSpace(text))
		w.paragraph(c.Needs, c.Note)
		if c.Source != "" {
			w.raw("In the spec: " + inlineCode(c.Source))
		}
	}
	if len(v.Sureness) > 0 {
		w.heading(3, "How sure these verdicts are")
		w.facts(v.Sureness)
	}
}

func (w *markdown) sealed(s sealedSection) {
	w.paragraph(s.Lead)
	if len(s.Conditions) > 0 {
		w.heading(3, "What the candidate was asked to show")
		var all []string
		for _, c := range s.Conditions {
			text := escaped(c.Statement)
			if c.Source != "" {
				text += " In the spec: " + inlineCode(c.Source)
			}
			all = append(all, text)
		}
		w.items(all)
	}
	w.command(s.Command)
}

func (w *markdown) quality(q quality) {
	w.paragraph(q.Lead, q.Labelled)
	w.grid(q.Confusion)
	w.grid(q.Confused)
	w.pictures(q.Charts)
	if len(q.Groups) > 0 {
		w.strong("Measures on the test data.", q.Note)
		rows := [][]string{{"Measure", "What it means here", "Value", "Interval"}}
		for _, g := range q.Groups {
			for _, r := range g.Rows {
				rows = append(rows, []string{r.Name, r.Meaning, r.Figure, r.Interval})
			}
		}
		w.table(rows, []bool{false, false, true, true})
	}
	w.grid(q.Residuals)
	w.grid(q.Classes)
	for _, g := range q.Slices {
		w.grid(&g)
	}
}

func (w *markdown) compared(c comparison) {
	w.paragraph(c.Lead)
	w.paragraph(c.Paragraphs...)
	w.grid(c.Right)
	w.paragraph(c.RightNote)
	w.bars(c.Changes)
	w.grid(c.Figures)
	w.grid(c.Moves)
}

func (w *markdown) secrets(p privacySection) {
	if s := p.Secrets; s != nil {
		w.heading(3, "What is learnt about someone who was found")
		w.paragraph(s.Paragraphs...)
		w.grid(s.Learnt)
		w.grid(s.Risky)
		w.grid(s.Sizes)
	}
	if s := p.Personal; s != nil {
		w.heading(3, "Personal data in the columns")
		w.paragraph(s.Lead)
		w.grid(s.Found)
		w.paragraph(s.Note)
	}
}

func (w *markdown) explained(r reliance) {
	if a := r.Attributed; a != nil {
		w.heading(3, "What moves the answers")
		w.paragraph(a.Lead)
		w.bars(a.Bars)
		w.paragraph(a.Notes...)
		w.grid(a.Cases)
	}
	if r.Dependence != nil {
		w.gallery(r.Dependence)
	}
	for i := range r.ByName {
		w.bars(&r.ByName[i])
	}
	for _, part := range []struct {
		title string
		*standIn
	}{{"What would have to change", r.Otherwise}, {"The model in a few rules", r.StandIn}} {
		if part.standIn != nil {
			w.heading(3, part.title)
			w.paragraph(part.Lead)
			w.grid(part.Rules)
			w.paragraph(part.Note)
		}
	}
	w.paragraph(r.Asking...)
}

func (w *markdown) people(all []peopleSection) {
	for _, s := range all {
		w.heading(3, s.Title)
		w.paragraph(s.Lead)
		w.bars(s.Table)
		w.grid(s.Missing)
		w.grid(s.Labels)
		w.paragraph(s.Notes...)
	}
}

func (w *markdown) drift(s *driftSection) {
	if s == nil {
		return
	}
	w.heading(3, s.Title)
	w.paragraph(s.Lead)
	w.paragraph(s.Paragraphs...)
	w.bars(s.Changes)
	for i := range s.Shapes {
		w.bars(&s.Shapes[i])
	}
}

func (w *markdown) treatment(t treatment) {
	w.paragraph(t.Lead)
	if m := t.Mitigated; m != nil {
		w.heading(3, "What was done about differences")
		w.paragraph(m.Paragraphs...)
		if m.Warning != "" {
			w.strong("A legal warning", m.Warning)
		}
		w.grid(m.Price)
		w.grid(m.Thresholds)
		w.grid(m.Weights)
	}
	w.paragraph(t.Unequal...)
	for _, a := range t.Attributes {
		w.heading(3, a.Title)
		w.paragraph(a.Summary)
		for _, r := range a.Rates {
			w.bars(&r)
		}
		w.grid(a.Gaps)
		w.grid(a.Against)
		w.grid(a.More)
		w.paragraph(a.Note)
	}
	for _, c := range t.Crossings {
		w.heading(3, c.Title)
		w.grid(c.Table)
		if c.Small != nil {
			w.paragraph(c.Small.Lead)
			w.list(c.Small.Names...)
			w.paragraph(c.Small.More)
		}
	}
}

func (w *markdown) making(m making) {
	w.paragraph(m.Lead)
	w.facts(m.Facts)
	w.grid(m.Parameters)
	w.grid(m.Metrics)
	w.gallery(m.Curves)
	if s := m.Sweep; s != nil {
		w.heading(3, s.Title)
		w.paragraph(s.Paragraphs...)
		w.strong("What this means for you.", s.Meaning)
		w.gallery(s.Trials)
		w.grid(s.Best)
		if s.Others != nil {
			w.paragraph(s.Others.Summary)
			w.grid(&s.Others.Grid)
		}
		w.paragraph(s.Unlisted)
	}
	w.grid(m.Usage)
	w.grid(m.Refs)
}

func (w *markdown) card(c card) {
	w.paragraph(c.Lead)
	for _, p := range c.Parts {
		text := "**" + escaped(p.Title) + ".** " + escaped(p.Text)
		for i, l := range p.Links {
			text += []string{" See ", "; "}[min(i, 1)] + escaped(l.Title)
		}
		if len(p.Links) > 0 {
			text += "."
		}
		w.raw(text)
	}
}

func (w *markdown) methods(m methods) {
	w.paragraph(m.Lead)
	var all []string
	for _, n := range m.Notes {
		all = append(all, strings.TrimSpace("**"+escaped(n.Name)+".** "+escaped(n.Note)+" "+escaped(n.Source)))
	}
	w.items(all)
}

func (w *markdown) lineage(l lineage) {
	w.paragraph(l.Lead)
	var all []string
	for i, s := range l.Steps {
		all = append(all, fmt.Sprintf("%d. **%s** %s", i+1, escaped(s.Name), escaped(s.Note)))
		for _, f := range s.Digests {
			all = append(all, "   - "+escaped(f.Term)+" "+inlineCode(f.Detail))
		}
	}
	w.raw(strings.Join(all, "\n"))
}
