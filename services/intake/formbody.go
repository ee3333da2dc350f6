package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"

	"github.com/leadbaton/baton/services/internal/fault"
)

// form gathers the fields of a form into the same tree that JSON gives, so that
// one shaper understands both.
type form struct {
	root  *node
	count int
	nodes int // values of JSON inside fields, under one limit
	notes notes
}

func newForm() *form { return &form{root: &node{kind: kindObject}} }

// parseURLEncoded reads a form body: name=value joined by ampersands.
func parseURLEncoded(body, charset string) (tree, error) {
	f := newForm()
	err := f.addPairs(body, charset, true)
	return f.tree(fromForm), err
}

func (f *form) tree(from origin) tree { return tree{root: f.root, notes: f.notes, from: from} }

// secretNames are query parameters that carry credentials: they are never kept.
var secretNames = set("token", "key", "apikey", "secret", "accesstoken", "signature", "sig", "auth", "authorization", "password")

// addQuery puts the address's parameters behind the body's fields. Each
// submission of a body gets them: they say where all of them came from.
func addQuery(items []Item, query string) ([]Item, error) {
	f := newForm()
	if err := f.addPairs(query, "", false); err != nil {
		return nil, fault.New(fault.Invalid, "address: %w", err)
	}
	extra, err := shape(f.tree(fromQuery), nil)
	if err != nil || len(extra) == 0 || len(extra[0].Leaves) == 0 {
		return items, err
	}
	if items == nil {
		return extra, nil
	}
	for i := range items {
		items[i].Leaves = append(items[i].Leaves, extra[0].Leaves...)
		if len(items[i].Leaves) > MaxLeaves {
			return nil, tooManyLeaves()
		}
	}
	return items, nil
}

func (f *form) addPairs(s, charset string, body bool) error {
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = f.text(charset, f.unescape(name))
		if !body && secretNames[norm(name)] {
			continue
		}
		if err := f.add(name, &node{kind: kindText, text: f.text(charset, f.unescape(strings.TrimRight(value, "\r\n")))}); err != nil {
			return err
		}
	}
	return nil
}

func (f *form) text(charset, s string) string {
	return f.notes.clean(decodeCharset(&f.notes, charset, s))
}

// unescape decodes as browsers do: a percent sign that starts no escape stays.
func (f *form) unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			b = append(b, ' ')
		case '%':
			hi, lo := -1, -1
			if i+2 < len(s) {
				hi, lo = hexDigit(s[i+1]), hexDigit(s[i+2])
			}
			if hi < 0 || lo < 0 {
				f.notes.add(noteEscape)
				b = append(b, c)
				continue
			}
			b = append(b, byte(hi<<4|lo))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c - 'a' + 10)
	case c >= 'A' && c <= 'F':
		return int(c - 'A' + 10)
	}
	return -1
}

// add puts one field into the tree: a[b][c] nests, a[] and repeats make lists.
func (f *form) add(name string, value *node) error {
	if len(name) > MaxKey {
		return keyTooLong()
	}
	if f.count++; f.count > MaxLeaves {
		return tooManyLeaves()
	}
	// Some form tools put JSON into a field. A field that people type into does
	// not hold a whole JSON object.
	if !controls[norm(name)] {
		s := scanner{nodes: f.nodes}
		value = s.inside(value)
		f.nodes = s.nodes
		for _, n := range s.notes {
			f.notes.add(n)
		}
	}
	path, ok := brackets(name)
	if !ok {
		path = []string{name}
	}
	if len(path) > MaxDepth {
		return tooDeep()
	}
	if !f.root.put(path, value) {
		f.notes.add(noteNesting)
		f.root.put([]string{name}, value)
	}
	return nil
}

// brackets splits a[b][c] into its parts; a trailing [] is an empty part.
func brackets(name string) ([]string, bool) {
	head, rest, found := strings.Cut(name, "[")
	if !found || head == "" {
		return nil, false
	}
	path := []string{head}
	rest = "[" + rest
	for rest != "" {
		if rest[0] != '[' {
			return nil, false
		}
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return nil, false
		}
		path = append(path, rest[1:end])
		rest = rest[end+1:]
	}
	return path, true
}

// put places a value at a path; false if a value already stands in the way.
func (n *node) put(path []string, value *node) bool {
	at := n
	for i, name := range path {
		last := i == len(path)-1
		if name == "" && i > 0 {
			return last && at.kind == kindArray && at.push(value)
		}
		have := at.get(name)
		switch {
		case last && have == nil:
			at.set(name, value)
			return true
		case last:
			return have.kind != kindObject && at.repeat(name, have, value)
		case have == nil:
			next := &node{kind: kindObject}
			if path[i+1] == "" {
				next.kind = kindArray
			}
			at.set(name, next)
			at = next
		case path[i+1] == "" && have.scalar():
			list := &node{kind: kindArray, list: []*node{have}}
			at.set(name, list)
			at = list
		case have.kind == kindObject || path[i+1] == "" && have.kind == kindArray:
			at = have
		default:
			return false
		}
	}
	return false
}

func (n *node) push(value *node) bool {
	n.list = append(n.list, value)
	return true
}

func (n *node) repeat(name string, have, value *node) bool {
	if have.kind == kindArray {
		return have.push(value)
	}
	n.set(name, &node{kind: kindArray, list: []*node{have, value}})
	return true
}

// parseMultipart reads a multipart form. Of a file its name, type and size are
// kept and its content is not.
func parseMultipart(body []byte, boundary string) (tree, error) {
	if boundary == "" {
		return tree{}, fault.New(fault.Invalid, "body: multipart without a boundary: send the boundary in Content-Type")
	}
	f := newForm()
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 1; ; n++ {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) && (n > 1 || bytes.Contains(body, []byte("--"+boundary+"--"))) {
			break
		}
		if err != nil {
			return tree{}, fault.New(fault.Invalid, "body: broken multipart at part %d: correct it and send it again", n)
		}
		name, file := f.notes.clean(part.FormName()), f.notes.clean(part.FileName())
		if isFile(part) {
			size, err := io.Copy(io.Discard, part)
			if err != nil {
				return tree{}, fault.New(fault.Invalid, "body: broken multipart at part %d: correct it and send it again", n)
			}
			if file == "" {
				continue // a file input that was left blank
			}
			kind := f.notes.clean(part.Header.Get("Content-Type"))
			if err := f.add(name, fileNode(file, kind, size)); err != nil {
				return tree{}, err
			}
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return tree{}, fault.New(fault.Invalid, "body: broken multipart at part %d: correct it and send it again", n)
		}
		if name == "" {
			name = "part"
		}
		_, params := mediaType(part.Header.Get("Content-Type"))
		if err := f.add(name, &node{kind: kindText, text: f.text(params["charset"], string(value))}); err != nil {
			return tree{}, err
		}
	}
	return f.tree(fromForm), nil
}

// isFile says whether a part is a file input, blank or not.
func isFile(part *multipart.Part) bool {
	_, params := mediaType(part.Header.Get("Content-Disposition"))
	_, ok := params["filename"]
	return ok
}

func fileNode(name, kind string, size int64) *node {
	return &node{kind: kindFile, text: fmt.Sprintf("%s (%s, %d bytes)", name, orElse(kind, "unknown type"), size)}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func tooManyLeaves() error {
	return fault.New(fault.Invalid, "body: more than %d fields in one submission: send less at once", MaxLeaves)
}

func tooManyItems() error {
	return fault.New(fault.Invalid, "body: more than %d submissions in one request: send less at once", MaxItems)
}
