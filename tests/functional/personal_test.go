package functional

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// customers are loans with an e-mail address in the place of the city.
func customers(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "customers.csv")
	content := loans(400, set(2, "mail", header), func(line int, fields []string) []string {
		if line > 0 {
			fields[2] = "person" + strconv.Itoa(line%60) + "@secret.example"
		}
		return fields
	})
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestPersonalDataIsRefusedBeforeTrainingOrShownToReviewers(t *testing.T) {
	t.Parallel()
	data := customers(t)
	refuse := with("privacy.personal_data", "refuse")
	refused := start(t, loanSpec("personal-refused", data, refuse)).ends()
	require.Equal(t, "gated", refused.Outcome)
	for _, says := range []string{`"mail"`, "e-mail addresses", "data.exclude", "privacy.allow"} {
		require.Contains(t, refused.Reason, says)
	}
	require.NotContains(t, refused.Reason, "secret.example")

	misspelt := start(t, loanSpec("personal-misspelt", data, with("privacy.allow", []any{"mial"}))).fails()
	require.ErrorContains(t, misspelt, `did you mean "mail"?`)

	const says = "seems to hold personal data"
	for _, c := range []struct {
		model string
		warns bool
		with  []func(document)
	}{
		{"personal-reviewed", true, nil},
		{"personal-excluded", false, []func(document){refuse, with("data.exclude", []any{"mail"})}},
		{"personal-allowed", false, []func(document){refuse, with("privacy.allow", []any{"mail"}), with("gates.conditions", []any{"personal_data_columns < 1"})}},
	} {
		l := start(t, loanSpec(c.model, data, c.with...))
		l.underReview()
		page := starter(t, "dossier", l.id)
		require.Zero(t, page.status, page.err)
		_, section, found := strings.Cut(page.out, `<section id="privacy"`)
		require.True(t, found)
		section, _, _ = strings.Cut(section, "</section>")
		require.Contains(t, section, "Signs of personal data")
		require.NotContains(t, section, "secret.example", "a value of a row")
		require.False(t, strings.Contains(page.out, "secret.example"), "nor does another section show what few rows hold")
		require.Equal(t, c.warns, strings.Contains(page.out, says), c.model)
	}

	counted := start(t, loanSpec("personal-counted", data, with("gates.conditions", []any{"personal_data_columns < 1"}))).ends()
	require.Equal(t, "gated", counted.Outcome)
	require.Contains(t, counted.Reason, "personal_data_columns is 1")
}

func TestWhatIsLearntOfPeopleIsMeasured(t *testing.T) {
	t.Parallel()
	l := start(t, credit("diverse", oneReviewer, with("privacy", document{"quasi_identifiers": []any{"sex", "housing"}, "sensitive": []any{"income"}}),
		with("gates.conditions", []any{"l_diversity >= 2 and t_closeness < 0.9 and entropy_l_diversity > 1"})))
	l.underReview()
	page := starter(t, "dossier", l.id)
	require.True(t, strings.Contains(page.out, "Columns that find people together"))
	require.True(t, strings.Contains(page.out, "Personal data in the columns"))
}
