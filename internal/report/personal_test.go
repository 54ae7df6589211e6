package report

import (
	"fmt"
	stdhtml "html"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/privacy"
)

// withPersonalData is the loan dossier with data that holds personal data and is examined for what it gives away.
func withPersonalData(t *testing.T, comment string) Dossier {
	t.Helper()
	d := loan(t)
	n := 400
	texts := func(form string) []string {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprintf(form, i)
		}
		return values
	}
	scan, err := privacy.Scan([]privacy.ScanColumn{
		privacy.TextColumn("mail", texts("person%d@secret.example")), privacy.TextColumn("staff_mail", texts("clerk%d@bank.example")), privacy.TextColumn("phone", texts("+49 170 1234%03d")),
		privacy.TextColumn(comment, texts("the customer called again on day %d and asked for <b>more time</b>")),
	}, privacy.ScanOptions{Allow: []string{"staff_mail"}, Unread: []string{"phone"}, MaxRows: 300})
	require.NoError(t, err)
	d.Validation.Personal = &scan
	codes, bands, outcomes := texts("code%d"), make([]string, n), make([]string, n)
	for i := range n {
		bands[i], outcomes[i] = fmt.Sprint("band ", i%4), []string{"yes", "no"}[i%2]
	}
	d.Privacy, err = privacy.Examine([]privacy.Column{{Name: "postcode", Values: codes}, {Name: "age_band", Values: bands}},
		[]privacy.Sensitive{{Name: "approved", Values: outcomes}, {Name: "income", Numbers: make([]float64, n)}})
	require.NoError(t, err)
	d.Privacy.Exact = &privacy.ExactClasses{Columns: []string{"age_band"}, KMin: 1, UniqueRows: 400}
	return d
}

func TestPersonalDataIsOnTheFirstScreenAndInTheSection(t *testing.T) {
	d := withPersonalData(t, "comment")
	page := rendered(t, d)
	text := stdhtml.UnescapeString(plain(string(page)))
	require.Contains(t, text, `The model is given a column that seems to hold personal data: "mail" (e-mail addresses, certain).`)
	says(t, d, "privacy", "Signs of personal data", "mail e-mail addresses certain", "RFC 5321", "given to the model", "declared fine by the spec", "not given to the model",
		"free text possible", "4 columns were searched in 300 rows, drawn from 400",
		"What is learnt about someone whose combination is known", "approved 1", "Columns that find people together", "postcode", "400 100 %",
		"1 400 400 100 %", "counted by the spec’s bands")
	says(t, d, "methods", "l-diversity and t-closeness", "Luhn", "ISO 13616")
	require.NotContains(t, string(page), "secret.example", "a value of a row stands on the page")
	encoded, digest, err := Encode(d)
	require.NoError(t, err)
	require.NotContains(t, string(encoded), "secret.example")
	markdown, err := Markdown(d, digest)
	require.NoError(t, err)
	require.Contains(t, string(markdown), "Signs of personal data")
	require.Contains(t, string(markdown), "Columns that find people together")

	says(t, bare(), "privacy", "The data was not searched for personal data.")
	require.NotContains(t, plain(string(rendered(t, loan(t)))), "seems to hold personal data")
}

func TestPersonalColumnsCannotBecomeMarkup(t *testing.T) {
	d := withPersonalData(t, script)
	d.Validation.Personal.Findings[0].Column, d.Validation.Personal.Findings[1].Country = script, script
	d.Privacy.Riskiest[0].Columns = []string{script}
	d.Privacy.Diversity[0].Sensitive = script
	page := string(rendered(t, d))
	require.NotContains(t, page, script)
	require.Contains(t, page, stdhtml.EscapeString("<script>"))
	for _, n := range elements(parse(t, []byte(page)), "script") {
		t.Fatalf("the page has a script: %v", n)
	}
	_, err := Render(d, artifact.Sum(nil))
	require.NoError(t, err)
}

func TestTablesOfPersonalDataFitOnAPhone(t *testing.T) {
	ctx := browser(t)
	for name, comment := range map[string]string{"plain": "comment", "hostile": strings.Repeat("averylongnamewithoutanyblank", 4) + script} {
		tab, cancel := chromedp.NewContext(ctx)
		defer cancel()
		page := rendered(t, withPersonalData(t, comment))
		require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(320, 640), chromedp.Navigate(serve(t, page))))
		_, err := chromedp.Run(tab, chromedp.Evaluate[int](unfold))
		require.NoError(t, err)
		sticksOut, err := chromedp.Run(tab, chromedp.Evaluate[string](overflowing))
		require.NoError(t, err)
		require.Empty(t, sticksOut, name)
	}
}
