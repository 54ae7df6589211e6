package spec

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// fillIn replaces ${NAME} in every scalar text below n. The replacement happens after the document was read, so that
// a value can never change its structure; $${ stands for a literal ${.
func fillIn(n *node, path string, env func(string) (string, bool), problems *[]Problem) {
	for _, k := range n.keys {
		fillIn(k.value, join(path, k.name), env, problems)
	}
	for i, item := range n.items {
		fillIn(item, index(path, i), env, problems)
	}
	if n.kind != textNode || !strings.Contains(n.text, "${") {
		return
	}
	if keptOutOfHistory(path) {
		env = func(string) (string, bool) { return "", true } // refused later, without the value ever being read
	}
	filled, used, err := expand(n.text, env)
	if err != nil {
		*problems = append(*problems, Problem{File: n.at.file, Line: n.at.line, Column: n.at.column, Path: path,
			Found: "found " + fmt.Sprintf("%q", clip(n.text)), Expected: err.Error()})
		return
	}
	if used {
		n.written = n.text
		if n.plain {
			n.kind = looseNode
		}
	}
	n.text = filled
}

// expand fills in one text and says whether any variable was used.
func expand(text string, env func(string) (string, bool)) (filled string, used bool, err error) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), used, nil
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		b.WriteString(text[:i])
		name, rest, closed := strings.Cut(text[i+2:], "}")
		if !closed || !isVariable(name) {
			return "", false, fmt.Errorf("expected ${NAME} with the name of an environment variable; write $${ for a literal ${")
		}
		value, ok := env(name)
		if !ok {
			return "", false, fmt.Errorf("the environment variable %s is not set; set it, or write $${%s} for the literal text", name, name)
		}
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return "", false, fmt.Errorf("the environment variable %s is not UTF-8 text", name)
		}
		b.WriteString(value)
		text, used = rest, true
	}
}

func isVariable(name string) bool {
	for i, c := range name {
		letter := c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
