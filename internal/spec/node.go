package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds on what is read, so that a hostile or broken file costs little. Aliases count each time they are used.
const (
	maxBytes  = 1 << 20
	maxTokens = 50_000
	maxDepth  = 32
	maxNodes  = 50_000
)

type nodeKind int

const (
	nullNode   nodeKind = iota
	brokenNode          // could not be read; the problem is known
	boolNode
	numberNode
	textNode
	looseNode // text that may stand for a number or a truth value: from --set, or a plain scalar with ${NAME}
	mapNode
	listNode
)

// position says where a node was written. line is 0 in a --set argument.
type position struct {
	file         string
	line, column int
}

// node is a value of a YAML or JSON document with its position; both formats are read into it, so that one decoder
// and one set of messages serve both.
type node struct {
	kind    nodeKind
	at      position
	text    string // scalar: the text; number: its literal
	number  float64
	isInt   bool // number: literal is an integer that fits int64
	integer int64
	truth   bool
	plain   bool     // text written without quotes
	written string   // text before ${NAME} was filled in; empty when there was none
	set     bool     // from --set
	keys    []mapKey // mapping, in the order of the file
	items   []*node  // sequence
}

type mapKey struct {
	name  string
	at    position
	value *node
}

// describe says what a node is, for messages. It shows ${NAME}, never the value of the variable.
func (n *node) describe() string {
	switch n.kind {
	case nullNode:
		return "found nothing"
	case boolNode:
		return fmt.Sprintf("found the truth value %t", n.truth)
	case numberNode:
		return "found the number " + clip(n.text)
	case mapNode:
		return "found a mapping"
	case listNode:
		return "found a list"
	}
	if n.written != "" {
		return "found text made from " + strconv.Quote(clip(n.written))
	}
	return "found " + strconv.Quote(clip(redact(n.text)))
}

// clip keeps messages readable when somebody pastes a novel.
func clip(s string) string {
	const most = 80
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "..."
}

// redact hides what may be a secret in an address: user information and everything from the query on.
func redact(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || strings.ContainsAny(scheme, " \n") || scheme == "synthetic" {
		return s
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i+1] + "..."
	}
	host, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndex(host, "@"); i >= 0 {
		host = "..." + host[i:]
	}
	if slash {
		host += "/" + path
	}
	return scheme + "://" + host
}

// budget counts nodes and depth while a tree is built.
type budget struct{ nodes int }

func (b *budget) spend(depth int) error {
	b.nodes++
	if b.nodes > maxNodes {
		return fmt.Errorf("more than %d values (aliases count each time they are used)", maxNodes)
	}
	if depth > maxDepth {
		return fmt.Errorf("nested more than %d levels deep", maxDepth)
	}
	return nil
}
