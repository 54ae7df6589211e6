package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"

	"github.com/assay-ml/assay/internal/artifact"
)

//go:embed page/*.tmpl
var templates embed.FS

//go:embed page/style.css
var style string

// The templates are part of the program: that they parse is a matter of its tests, not of its input.
var pages = template.Must(template.ParseFS(templates, "page/*.tmpl"))

// page is what the templates show: words and pictures, with every number already written out.
type page struct {
	Style     template.CSS
	Model     string
	Digest    string
	Contents  []link
	Summary   summary
	Ask       ask
	Verdict   verdict
	Quality   quality
	Compared  comparison
	Treatment treatment
	Reliance  reliance
	Data      dataSection
	Privacy   privacySection
	Making    making
	Limits    []string
	Card      card
	Methods   methods
	Lineage   lineage
	Sealed    *sealedSection // nil: everything is shown
}

type link struct{ ID, Title string }

// Pieces that several sections share.
type (
	// fact is a line of a definition list; Code sets the detail as code. Items are folded up under the detail.
	fact struct {
		Term, Detail string
		Code         bool
		Items        []string
	}
	// barTable is a table whose rows have a picture each, all on one scale; Ends are the ends of that scale.
	barTable struct {
		Caption, Note                 string
		NameHead, BarHead, FigureHead string
		IntervalHead                  string // of what stands under the figure, where that is no interval; for tables without pictures
		Rows                          []barRow
		Ends                          []string
	}
	barRow struct {
		Name             string
		Tags             []string // short remarks, set in a frame
		Note             string
		Bar              template.HTML
		Figure, Interval string
	}
	// grid is a table of texts; the first cell of a row is its heading.
	grid struct {
		Caption, Note, Class string
		Head                 []cell
		Rows                 [][]cell
	}
	cell struct {
		Text   string
		Note   string
		Class  string // of the style sheet, for a cell that is a picture as well
		Mark   template.HTML
		Number bool
	}
)

// Render makes the page of a dossier, the same bytes for the same dossier. The digest is that of the dossier's JSON, as
// Encode gives it. Everything in the dossier is taken as text: nothing in it can become markup.
func Render(d Dossier, digest artifact.Digest) ([]byte, error) {
	if digest.IsZero() {
		return nil, fmt.Errorf("render the dossier of %s: it has no digest; expected the one Encode gave", d.Lifecycle)
	}
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "page.html.tmpl", pageOf(d, digest)); err != nil {
		return nil, fmt.Errorf("render the dossier of %s: %w", d.Lifecycle, err)
	}
	return b.Bytes(), nil
}

// wholeContents are the sections of a page that shows everything, sealedContents those of one without figures of the test set.
var (
	wholeContents = []link{
		{"ask", "What is asked of you"},
		{"conditions", "Does it meet the conditions?"},
		{"quality", "What it does well, and badly"},
		{"compared", "Compared with the version that serves"},
		{"treatment", "Whom it treats differently"},
		{"reliance", "What it relies on"},
		{"data", "The data"},
		{"privacy", "Privacy"},
		{"making", "How it was made"},
		{"limits", "What this page does not tell"},
		{"card", "Model card"},
		{"methods", "How the figures were made"},
		{"lineage", "From the data to this page"},
	}
	sealedContents = []link{
		{"ask", "What is asked of you"}, {"sealed", "What is sealed"}, {"data", "The data"}, {"privacy", "Privacy"},
		{"making", "How it was made"}, {"limits", "What this page does not tell"}, {"card", "Model card"},
		{"methods", "How the figures were made"}, {"lineage", "From the data to this page"},
	}
)

func pageOf(d Dossier, digest artifact.Digest) page {
	w := wordsOf(d.Target)
	return page{
		Style:     template.CSS(style), //nolint:gosec // our own file, embedded
		Model:     d.Model,
		Digest:    digest.String(),
		Contents:  wholeContents,
		Summary:   summaryOf(d),
		Ask:       askOf(d, digest),
		Verdict:   verdictOf(d),
		Quality:   qualityOf(d, w),
		Compared:  comparisonOf(d),
		Treatment: treatmentOf(d, w),
		Reliance:  relianceOf(d),
		Data:      dataOf(d),
		Privacy:   privacyOf(d),
		Making:    makingOf(d),
		Limits:    limitsOf(d),
		Card:      cardOf(d, wholeContents),
		Methods:   methodsOf(d),
		Lineage:   lineageOf(d, digest),
	}
}

// or is s, or instead when there is none.
func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
