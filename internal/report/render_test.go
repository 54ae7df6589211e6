package report

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
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
	d.Fairness.Examination.Divisions[0].Name = script
	d.Fairness.Examination.Divisions[0].Groups[0].Name = script + long
	d.Fairness.Examination.Divisions[0].Gaps[0].Highest = script
	d.Evaluation.Slices[0].Column, d.Evaluation.Slices[0].Group = script, script
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
		"a loan model with a rival": rival(t), "a model of classes": species(t), "a model of very many classes": letters(t), "hostile classes": hostileClasses(t), "a model of numbers": prices(t),
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
			require.Equal(t, []string{"summary", "ask", "conditions", "quality", "compared", "treatment", "reliance", "data", "privacy", "making", "limits", "card", "methods", "lineage"}, sections)
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
	require.Greater(t, len(elements(parse(t, rendered(t, trained(t))), "svg")), 29)
	for name, d := range everyDossier(t) {
		t.Run(name, func(t *testing.T) {
			root := parse(t, rendered(t, d))
			for _, svg := range elements(root, "svg") {
				require.Equal(t, "img", attr(svg, "role"))
				titles := elements(svg, "title")
				require.Len(t, titles, 1)
				require.NotEmpty(t, text(titles[0]))
				if attr(svg, "class") == "chart" {
					require.NotEmpty(t, text(elements(svg, "desc")[0]))
				}
			}
			for _, table := range elements(root, "table") {
				require.Len(t, elements(table, "caption"), 1)
				require.NotEmpty(t, elements(table, "tbody"))
				for _, th := range elements(table, "th") {
					require.NotEmpty(t, attr(th, "scope"))
				}
			}
		})
	}
}

var unwritten = regexp.MustCompile(`NaN|Inf\b|%!|<nil>|\{\{|ZgotmplZ|0001-01-01|1 January 1,`)

func TestNumbersAreAlwaysWrittenOut(t *testing.T) {
	broken := loan(t)
	for i := range broken.Gate.Results {
		broken.Gate.Results[i].Estimate = stats.Estimate{Value: math.NaN(), Low: math.Inf(-1), High: math.Inf(1), Level: math.NaN()}
	}
	for i := range broken.Evaluation.Overall.Binary.Metrics {
		broken.Evaluation.Overall.Binary.Metrics[i].Value = math.NaN()
		broken.Evaluation.Overall.Binary.Metrics[i].High = math.Inf(1)
	}
	for i := range broken.Evaluation.Overall.Binary.ROC {
		broken.Evaluation.Overall.Binary.ROC[i].FPR = math.NaN()
	}
	broken.Evaluation.Overall.Binary.Calibration[3].MeanY.Low = math.Inf(-1)
	broken.Explain.Features[0].AUCDrop.Value = math.NaN()
	broken.Explain.Features[1].AUCDrop.High = math.Inf(1)
	broken.Fairness.Examination.Divisions[0].Groups[0].Rates[0].Value = math.NaN()

	_, digest, err := Encode(loan(t))
	require.NoError(t, err)
	dossiers := everyDossier(t)
	delete(dossiers, "hostile names") // holds {{ on purpose
	delete(dossiers, "hostile classes")
	dossiers["numbers that are none"] = broken
	for name, d := range dossiers {
		t.Run(name, func(t *testing.T) {
			page, err := Render(d, digest)
			require.NoError(t, err)
			require.Empty(t, unwritten.FindAllString(string(page), -1))
		})
	}
}

// Whatever a number that was measured is, the page is made, and shows no number that is none.
func TestAnyMeasuredNumberCanBeShown(t *testing.T) {
	_, digest, err := Encode(loan(t))
	require.NoError(t, err)
	for name, value := range map[string]float64{
		"no number": math.NaN(), "infinite": math.Inf(1), "less than all": math.Inf(-1), "the largest": math.MaxFloat64, "the least": -math.MaxFloat64,
		"the smallest": math.SmallestNonzeroFloat64, "nothing": 0, "negative": -0.3, "all": 1,
	} {
		for of, d := range map[string]Dossier{"outcome": rival(t), "classes": species(t), "numbers": prices(t)} {
			t.Run(name+" of "+of, func(t *testing.T) {
				distort(&d.Evaluation, distortion{number: value})
				distort(&d.Comparison, distortion{number: value})
				distort(&d.Fairness, distortion{number: value})
				distort(&d.Explain, distortion{number: value})
				distort(&d.Gate.Decision, distortion{number: value})
				page, err := Render(d, digest)
				require.NoError(t, err)
				require.Empty(t, unwritten.FindAllString(string(page), -1))
			})
		}
	}
}

// Counts that contradict each other, as in a dossier that was not made by Assay, do not end the program.
func TestAnyCountCanBeShown(t *testing.T) {
	_, digest, err := Encode(loan(t))
	require.NoError(t, err)
	for _, n := range []int{0, -1, math.MaxInt, math.MinInt} {
		for of, d := range map[string]Dossier{"outcome": rival(t), "classes": species(t), "numbers": prices(t)} {
			t.Run(fmt.Sprint(n, " of ", of), func(t *testing.T) {
				change := distortion{number: 0.5, count: &n}
				distort(&d.Evaluation, change)
				distort(&d.Comparison, change)
				distort(&d.Gate.Decision, change)
				distort(&d.Labels, change)
				distort(&d.TestSet, change)
				page, err := Render(d, digest)
				require.NoError(t, err)
				require.Empty(t, unwritten.FindAllString(string(page), -1))
			})
		}
	}
}

// distortion is what measured values are replaced with; texts and counts stay where they are nil.
type distortion struct {
	number float64
	count  *int
	text   *string
}

// distort replaces every value that can be reached from the pointer.
func distort(pointer any, by distortion) { distortValue(reflect.ValueOf(pointer).Elem(), by) }

func distortValue(v reflect.Value, by distortion) {
	switch v.Kind() {
	case reflect.Float64:
		v.SetFloat(by.number)
	case reflect.Int, reflect.Int64:
		if by.count != nil {
			v.SetInt(int64(*by.count))
		}
	case reflect.String:
		if by.text != nil {
			v.SetString(*by.text)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			distortValue(v.Elem(), by)
		}
	case reflect.Slice:
		for i := range v.Len() {
			distortValue(v.Index(i), by)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				distortValue(v.Field(i), by)
			}
		}
	}
}

func TestTextFromOutsideStaysText(t *testing.T) {
	program := string(rendered(t, hostileProgram(t)))
	require.NotContains(t, program, "<script")
	require.Contains(t, section(t, parse(t, []byte(program)), "making"), script)
	for _, page := range []string{string(rendered(t, hostileClasses(t))), string(sealed(t, hostileClasses(t), false)), string(sealed(t, hostileProgram(t), true))} {
		require.NotContains(t, page, "<script")
		require.NotContains(t, page, "<img")
		require.NotContains(t, page, "<b>")
	}
	classes := parse(t, rendered(t, hostileClasses(t)))
	for _, id := range []string{"conditions", "quality", "compared", "treatment"} {
		require.Contains(t, section(t, classes, id), script, id)
	}
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
