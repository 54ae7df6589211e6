package report

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/artifact"
)

func markdownFor(t *testing.T, d Dossier) string {
	t.Helper()
	_, digest, err := Encode(d)
	require.NoError(t, err)
	b, err := Markdown(d, digest)
	require.NoError(t, err)
	return string(b)
}

func TestMarkdownHasThePagesSectionsInOrder(t *testing.T) {
	for name, d := range everyDossier(t) {
		t.Run(name, func(t *testing.T) {
			text, at := markdownFor(t, d), 0
			for _, l := range append([]link{{"summary", "In short"}}, wholeContents...) {
				found := strings.Index(text[at:], "\n## "+escaped(l.Title)+"\n")
				require.GreaterOrEqual(t, found, 0, l.Title)
				at += found
			}
			require.Equal(t, 1, strings.Count(text, "\n# ")+strings.Count(text[:2], "# "))
		})
	}
}

// unescaped takes the backslashes away that escaped put there.
func unescaped(s string) string {
	return regexp.MustCompile(`\\([[:punct:]])`).ReplaceAllString(s, "$1")
}

// Every sentence and figure of the page stands in the text as well.
func TestMarkdownHasThePagesWords(t *testing.T) {
	for name, d := range map[string]Dossier{"outcome": rival(t), "classes": species(t), "numbers": prices(t), "program": trained(t)} {
		t.Run(name, func(t *testing.T) {
			text := plain(unescaped(markdownFor(t, d)))
			root := parse(t, rendered(t, d))
			var missing []string
			for _, tag := range []string{"p", "td", "dd", "h2", "h3", "figcaption"} {
				for _, n := range elements(root, tag) {
					for c := n.FirstChild; c != nil; c = c.NextSibling {
						words := strings.Join(strings.Fields(plain(c.Data)), " ")
						if c.Type != html.TextNode || words == "" || words == "See" || words == "Contents" || strings.Contains(words, "This page holds everything") || words == "Dossier for review" ||
							strings.Contains(words, "In the pictures the stroke") {
							continue
						}
						if !strings.Contains(text, words) {
							missing = append(missing, words)
						}
					}
				}
			}
			require.Empty(t, missing)
		})
	}
}

func TestMarkdownTablesAreWhole(t *testing.T) {
	bar := regexp.MustCompile(`(^|[^\\])\|`)
	for name, d := range everyDossier(t) {
		t.Run(name, func(t *testing.T) {
			columns := 0
			for line := range strings.Lines(markdownFor(t, d)) {
				if !strings.HasPrefix(line, "|") {
					columns = 0
					continue
				}
				n := len(bar.FindAllString(line, -1))
				if columns == 0 {
					columns = n
				}
				require.Equal(t, columns, n, line)
			}
		})
	}
}

var (
	codeBlock = regexp.MustCompile("(?ms)^(```+)sh\n.*?\n```+$")
	codeSpan  = regexp.MustCompile("``+[^\n]*?``+|`[^`\n]*`")
	raw       = regexp.MustCompile(`(^|[^\\])[<\[\]]`)
)

func TestTextFromOutsideStaysTextInMarkdown(t *testing.T) {
	for name, d := range map[string]Dossier{"names": hostile(t), "program": hostileProgram(t), "classes": hostileClasses(t)} {
		t.Run(name, func(t *testing.T) {
			d.Purpose = script + " ![x](javascript:alert(1)) [y](https://example.org) https://example.org www.example.org **b** `code` | a | b\n\n# heading\n---\n- item\n1. one"
			_, digest, err := Encode(d)
			require.NoError(t, err)
			whole, err := Markdown(d, digest)
			require.NoError(t, err)
			hidden, err := MarkdownSealed(d, digest, Seal{ShowTo: []string{script}})
			require.NoError(t, err)
			for _, b := range [][]byte{whole, hidden} {
				require.Contains(t, unescaped(string(b)), script, "it is shown as it is")
				text := codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(string(b), ""), "")
				text = regexp.MustCompile(` \[(counts as|small group|protected)[^\]]*\]`).ReplaceAllString(text, "")
				require.Empty(t, raw.FindAllString(text, -1))
				require.NotRegexp(t, `https?://`, text, "no address becomes a link")
				require.NotContains(t, text, "www.")
				require.NotContains(t, text, "\n# heading")
				require.NotContains(t, text, "\n- item")
			}
		})
	}
}

func TestEscapedTextIsOneLineThatShowsTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching("[a-c0-9 .:/@!()<>\\[\\]*_`|\\\\#&$~+=\\-\n\t]{0,24}").Draw(t, "text")
		got := escaped(s)
		require.NotContains(t, got, "\n")
		var shown strings.Builder
		for i := 0; i < len(got); i++ {
			if got[i] == '\\' {
				i++
				require.Less(t, i, len(got), "a backslash at the end would reach what follows")
			} else {
				require.NotContains(t, "*_`<[]|#~&$", string(got[i]))
			}
			shown.WriteByte(got[i])
		}
		require.Equal(t, strings.Join(strings.Fields(s), " "), shown.String())
		if got != "" {
			require.NotContains(t, "+-=>", got[:1], "it begins no list, rule or quotation")
		}
		require.NotRegexp(t, `^[0-9]{1,9}[.)]( |$)`, got)
	})
}

func TestCodeCannotBeLeft(t *testing.T) {
	require.Equal(t, "`sha256:1`", inlineCode("sha256:1"))
	require.Equal(t, "``a`b``", inlineCode("a`b"))
	require.Equal(t, "`` `a ``", inlineCode("`a"))
	require.Equal(t, "`a b`", inlineCode("a\nb"))
	require.Equal(t, `a\|b`, cellCode("a|b"))

	w := &markdown{}
	w.command(command{"Run:", []string{"starter", "'a\n```\n# b'"}})
	require.Contains(t, w.b.String(), "````sh\nstarter 'a\n```\n# b'\n````\n")
}

func TestSealedMarkdownDoesNotDependOnWhatWasMeasured(t *testing.T) {
	for name, d := range everyDossier(t) {
		t.Run(name, func(t *testing.T) {
			b, digest, err := Encode(d)
			require.NoError(t, err)
			seal := Seal{ShowTo: []string{"ethics"}, Verdict: true}
			before, err := MarkdownSealed(d, digest, seal)
			require.NoError(t, err)
			other, err := Decode(b)
			require.NoError(t, err)
			count, words := 7351946, "measuredtext"
			remeasured(&other, distortion{number: 0.7351946, count: &count, text: &words})
			other.Gate.Verdict, other.Gate.Settled, other.Gate.Policy = "other", "another", "yet another"
			after, err := MarkdownSealed(other, digest, seal)
			require.NoError(t, err)
			require.Equal(t, string(before), string(after))
			require.Contains(t, string(before), "## What is sealed")
			require.NotContains(t, string(before), "## Whom it treats differently")
		})
	}
}

func TestMarkdownNeedsADigest(t *testing.T) {
	var none artifact.Digest
	_, err := Markdown(bare(), none)
	require.ErrorContains(t, err, "no digest")
	_, err = MarkdownSealed(bare(), none, Seal{})
	require.ErrorContains(t, err, "no digest")
}
