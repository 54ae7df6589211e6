package report

import (
	"bytes"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

func rendered(t *testing.T, d Dossier) []byte {
	t.Helper()
	_, digest, err := Encode(d)
	require.NoError(t, err)
	page, err := Render(d, digest)
	require.NoError(t, err)
	return page
}

const script = `<script>alert("x")</script>`

// hostile is a dossier whose every name from outside tries to be markup, and is long.
func hostile(t *testing.T) Dossier {
	d := loan(t)
	long := strings.Repeat("averylongnamewithoutanyblank", 4)
	d.Model, d.Purpose, d.Owner, d.Requester = script, script+`"'><img src=x onerror=alert(1)>`+long, script, script
	d.Trigger.Reason, d.Lifecycle, d.Data.Source = script, "lifecycle/it's "+script, "https://example.org/"+long+script
	d.Target.Column, d.Target.Positive = script, `"><b>`+long
	d.Protected = []string{script}
	d.Warnings = []string{script + "{{.}}"}
	d.Review.Quorum[0].Role = script
	d.Review.Escalate.To = []string{script}
	d.Fairness.Attributes[0].Name = script
	d.Fairness.Attributes[0].Groups[0].Name = script + long
	d.Fairness.Attributes[0].Gaps[0].Highest = script
	d.Evaluation.Slices[0].Attribute, d.Evaluation.Slices[0].Group = script, script
	d.Explain.Features[0].Feature, d.Explain.Features[1].Feature = script, long
	d.Explain.Method, d.Training.Device.Name = script, script
	d.Training.Features = []string{script, long}
	d.Gate.Results = append(d.Gate.Results, gate.Result{Condition: script, Verdict: gate.Verdict(script), Reason: script})
	d.Privacy.QuasiIdentifiers = []string{script}
	d.Refs[0].Name = script
	hostileTable(&d)
	return d
}

// bare is a dossier in which no stage found anything.
func bare() Dossier { return Dossier{Format: Format} }

func parse(t *testing.T, page []byte) *html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	require.NoError(t, err)
	return root
}

// elements are the elements of the given name, in order.
func elements(root *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "style" {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func section(t *testing.T, root *html.Node, id string) string {
	t.Helper()
	for _, s := range elements(root, "section") {
		if attr(s, "id") == id {
			return text(s)
		}
	}
	t.Fatalf("the page has no section %q", id)
	return ""
}

func everyDossier(t *testing.T) map[string]Dossier {
	return map[string]Dossier{
		"a loan model": loan(t), "hostile names": hostile(t), "nothing measured": bare(), "a program's model": trained(t), "a hostile program": hostileProgram(t),
	}
}

func TestPageIsWellFormed(t *testing.T) {
	for name, d := range everyDossier(t) {
		t.Run(name, func(t *testing.T) {
			page := rendered(t, d)
			root := parse(t, page)
			require.Equal(t, "en", attr(elements(root, "html")[0], "lang"))
			require.Len(t, elements(root, "h1"), 1)
			ids := map[string]bool{}
			for n := range root.Descendants() {
				if id := attr(n, "id"); id != "" {
					require.False(t, ids[id], "id %q stands twice", id)
					ids[id] = true
				}
			}
			var sections []string
			for _, s := range elements(root, "section") {
				sections = append(sections, attr(s, "id"))
				require.True(t, ids[attr(s, "aria-labelledby")])
			}
			require.Equal(t, []string{"ask", "conditions", "quality", "treatment", "reliance", "data", "privacy", "making", "limits"}, sections)
			for _, a := range elements(root, "a") {
				require.True(t, ids[strings.TrimPrefix(attr(a, "href"), "#")], "link to %q leads nowhere", attr(a, "href"))
			}
		})
	}
}

func TestPageLoadsNothing(t *testing.T) {
	for name, d := range everyDossier(t) {
		t.Run(name, func(t *testing.T) {
			page := rendered(t, d)
			root := parse(t, page)
			for _, forbidden := range []string{"script", "iframe", "object", "embed", "img", "form", "base"} {
				require.Empty(t, elements(root, forbidden), "a %s element", forbidden)
			}
			for n := range root.Descendants() {
				for _, a := range n.Attr {
					require.False(t, strings.HasPrefix(a.Key, "on"), "handler %s", a.Key)
					if a.Key == "href" || a.Key == "src" {
						require.Regexp(t, `^(#[a-z]+|data:,)$`, a.Val)
					}
				}
			}
			require.NotContains(t, style, "@import")
			require.NotContains(t, style, "url(")
			require.Contains(t, string(page),
				`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`)
		})
	}
}

func TestPicturesAndTablesAreNamed(t *testing.T) {
	root := parse(t, rendered(t, trained(t)))
	pictures := elements(root, "svg")
	require.Greater(t, len(pictures), 29)
	for _, svg := range pictures {
		require.Equal(t, "img", attr(svg, "role"))
		titles := elements(svg, "title")
		require.Len(t, titles, 1)
		require.NotEmpty(t, text(titles[0]))
	}
	for _, chart := range pictures {
		if attr(chart, "class") == "chart" {
			require.NotEmpty(t, text(elements(chart, "desc")[0]))
		}
	}
	for _, table := range elements(root, "table") {
		require.Len(t, elements(table, "caption"), 1)
		for _, th := range elements(table, "th") {
			require.NotEmpty(t, attr(th, "scope"))
		}
	}
}

var unwritten = regexp.MustCompile(`NaN|Inf\b|%!|<nil>|\{\{|ZgotmplZ|0001-01-01|1 January 1,`)

func TestNumbersAreAlwaysWrittenOut(t *testing.T) {
	broken := loan(t)
	for i := range broken.Gate.Results {
		broken.Gate.Results[i].Estimate = stats.Estimate{Value: math.NaN(), Low: math.Inf(-1), High: math.Inf(1), Level: math.NaN()}
	}
	for i := range broken.Evaluation.Overall.Metrics {
		broken.Evaluation.Overall.Metrics[i].Value = math.NaN()
		broken.Evaluation.Overall.Metrics[i].High = math.Inf(1)
	}
	for i := range broken.Evaluation.Overall.ROC {
		broken.Evaluation.Overall.ROC[i].FPR = math.NaN()
	}
	broken.Evaluation.Overall.Calibration[3].MeanY.Low = math.Inf(-1)
	broken.Explain.Features[0].AUCDrop.Value = math.NaN()
	broken.Explain.Features[1].AUCDrop.High = math.Inf(1)
	broken.Fairness.Attributes[0].Groups[0].SelectionRate.Value = math.NaN()

	_, digest, err := Encode(loan(t))
	require.NoError(t, err)
	dossiers := everyDossier(t)
	delete(dossiers, "hostile names") // holds {{ on purpose
	dossiers["numbers that are none"] = broken
	for name, d := range dossiers {
		t.Run(name, func(t *testing.T) {
			page, err := Render(d, digest)
			require.NoError(t, err)
			require.Empty(t, unwritten.FindAllString(string(page), -1))
		})
	}
}

func TestTextFromOutsideStaysText(t *testing.T) {
	program := string(rendered(t, hostileProgram(t)))
	require.NotContains(t, program, "<script")
	require.Contains(t, section(t, parse(t, []byte(program)), "making"), script)
	page := string(rendered(t, hostile(t)))
	require.NotContains(t, page, "<script")
	require.NotContains(t, page, "<img")
	require.NotContains(t, page, "<b>")
	root := parse(t, []byte(page))
	require.Equal(t, script, text(elements(root, "h1")[0]))
	require.Contains(t, section(t, root, "treatment"), script)
	require.Contains(t, section(t, root, "reliance"), script)
	require.Contains(t, section(t, root, "conditions"), script)
	require.Contains(t, section(t, root, "ask"), script+"{{.}}")
	require.Contains(t, section(t, root, "data"), script)
}

func TestRenderNeedsADigest(t *testing.T) {
	d := loan(t)
	_, digest, err := Encode(d)
	require.NoError(t, err)
	first, err := Render(d, digest)
	require.NoError(t, err)
	second, err := Render(d, digest)
	require.NoError(t, err)
	require.Equal(t, first, second)

	var none = digest
	require.NoError(t, none.UnmarshalText(nil))
	_, err = Render(d, none)
	require.ErrorContains(t, err, "no digest")
}
