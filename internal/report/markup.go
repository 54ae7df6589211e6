package report

import (
	"strings"
	"unicode"
)

// markdown writes a document block by block, with an empty line after each. Text from outside reaches it through escaped and
// inlineCode alone.
type markdown struct{ b strings.Builder }

// raw writes a block that is Markdown already.
func (w *markdown) raw(block string) {
	if block != "" {
		w.b.WriteString(block + "\n\n")
	}
}

func (w *markdown) heading(depth int, text string) {
	w.raw(strings.Repeat("#", depth) + " " + or(escaped(text), "(unnamed)"))
}

func (w *markdown) paragraph(texts ...string) {
	for _, t := range texts {
		w.raw(escaped(t))
	}
}

// strong writes a paragraph that begins with words in bold type.
func (w *markdown) strong(first string, rest ...string) {
	if first == "" {
		return
	}
	w.raw(strings.TrimSpace("**" + escaped(first) + "** " + escaped(strings.Join(rest, " "))))
}

func (w *markdown) term(name, text string) { w.strong(name+":", text) }

func (w *markdown) list(texts ...string) {
	items := make([]string, len(texts))
	for i, t := range texts {
		items[i] = escaped(t)
	}
	w.items(items)
}

// items writes a list of lines that are Markdown already.
func (w *markdown) items(lines []string) {
	if len(lines) > 0 {
		w.raw("- " + strings.Join(lines, "\n- "))
	}
}

func (w *markdown) facts(facts []fact) {
	if len(facts) == 0 {
		return
	}
	w.b.WriteString("| | |\n| --- | --- |\n")
	for _, f := range facts {
		detail := escaped(f.Detail)
		if f.Code {
			detail = cellCode(f.Detail)
		}
		if len(f.Items) > 0 {
			detail += ": " + escaped(strings.Join(f.Items, ", "))
		}
		w.b.WriteString("| " + escaped(f.Term) + " | " + detail + " |\n")
	}
	w.b.WriteString("\n")
}

func (w *markdown) bars(t *barTable) {
	if t == nil {
		return
	}
	w.strong(t.Caption+".", t.Note)
	rows := [][]string{{t.NameHead, t.FigureHead, or(t.IntervalHead, "Interval")}}
	for _, r := range t.Rows {
		name := r.Name
		if len(r.Tags) > 0 {
			name += " [" + strings.Join(r.Tags, ", ") + "]"
		}
		if r.Note != "" {
			name += " (" + r.Note + ")"
		}
		rows = append(rows, []string{name, r.Figure, r.Interval})
	}
	w.table(rows, []bool{false, true, true})
}

func (w *markdown) grid(g *grid) {
	if g == nil {
		return
	}
	w.strong(g.Caption+".", g.Note)
	var head []string
	var right []bool
	for _, c := range g.Head {
		head, right = append(head, c.Text), append(right, c.Number)
	}
	rows := [][]string{head}
	for _, r := range g.Rows {
		var row []string
		for _, c := range r {
			text := c.Text
			if c.Note != "" {
				text = strings.TrimSpace(text + " (" + c.Note + ")")
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	w.table(rows, right)
}

// table writes rows of texts, the first of which is the head; right says which columns hold numbers.
func (w *markdown) table(rows [][]string, right []bool) {
	line := func(cells []string) { w.b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	for i, row := range rows {
		cells := make([]string, len(row))
		for k, text := range row {
			cells[k] = escaped(text)
		}
		line(cells)
		if i > 0 {
			continue
		}
		rule := make([]string, len(row))
		for k := range row {
			rule[k] = "---"
			if k < len(right) && right[k] {
				rule[k] = "---:"
			}
		}
		line(rule)
	}
	w.b.WriteString("\n")
}

func (w *markdown) gallery(g *gallery) {
	if g == nil {
		return
	}
	if g.Title != "" {
		w.heading(3, g.Title)
	}
	w.paragraph(g.Lead)
	w.pictures(g.Pictures)
	w.paragraph(g.Note)
}

// pictures are told by their captions: the page has them drawn.
func (w *markdown) pictures(all []picture) {
	var lines []string
	for _, p := range all {
		lines = append(lines, strings.TrimSpace("**"+escaped(p.Title)+".** "+escaped(p.Caption)))
	}
	w.items(lines)
}

// command writes a line for a shell into a block that nothing in it can end.
func (w *markdown) command(c command) {
	w.paragraph(c.Label)
	line := strings.Join(c.Words, " ")
	fence := strings.Repeat("`", max(3, longestRun(line, '`')+1))
	w.raw(fence + "sh\n" + printable(line, true) + "\n" + fence)
}

// special are the characters that can begin or end markup within a line: of CommonMark, of tables, of formulas, of links that
// begin by themselves, and of HTML.
const special = "\\`*_{}[]<>#|~&$@"

// escaped is a text from outside as one line that shows exactly it. CommonMark lets a backslash stand before any punctuation of
// ASCII (section 2.4), so that the character is never markup.
func escaped(s string) string {
	s = strings.Join(strings.FieldsFunc(printable(s, false), func(r rune) bool { return r == ' ' }), " ")
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(special, r), r == ':' && strings.HasPrefix(s[i:], "://"):
			b.WriteByte('\\')
		case i == 0 && strings.ContainsRune("+-=", r), (r == '.' || r == ')') && numbered(s[:i]) && (i+1 == len(s) || s[i+1] == ' '):
			b.WriteByte('\\')
		case r == '.' && strings.HasSuffix(strings.ToLower(s[:i]), "www"):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// numbered reports whether a text that begins a line would make what follows an item of a list.
func numbered(before string) bool {
	return before != "" && len(before) <= 9 && strings.Trim(before, "0123456789") == ""
}

// printable replaces what would break a line, and what does not show, by blanks.
func printable(s string, breaks bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && breaks:
			return r
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, s)
}

// inlineCode is a text as code in a line, between more backticks than stand in it.
func inlineCode(s string) string {
	s = printable(s, false)
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.TrimSpace(s) == "" {
		s = " " + s + " "
	}
	return fence + s + fence
}

// cellCode is code in a cell of a table. A bar ends a cell even inside of code, and code knows no escape that every reader of
// Markdown undoes, so that a text with one is written as text.
func cellCode(s string) string {
	if strings.ContainsAny(s, "|\\") {
		return escaped(s)
	}
	return inlineCode(s)
}

func longestRun(s string, of rune) int {
	longest, run := 0, 0
	for _, r := range s {
		if r == of {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return longest
}
