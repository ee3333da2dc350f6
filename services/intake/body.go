package intake

import (
	"bytes"
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// Limits of a body. They hold before anything of it is looked at, so that what
// a stranger sends costs no more than they allow.
const (
	// MaxBody is the most bytes of a body that is not multipart.
	MaxBody = 1 << 20
	// MaxMultipart is the most bytes of a multipart body, files included.
	MaxMultipart = 4 << 20
	// MaxDepth is how deep a body may nest.
	MaxDepth = 32
	// MaxLeaves is how many answers one submission may hold.
	MaxLeaves = 2000
	// MaxItems is how many submissions one body may hold.
	MaxItems = 1000
	// MaxKey is the most bytes of one field name.
	MaxKey = 512
	// maxNodes is how many values one body may hold in all. It is far above
	// MaxLeaves because some senders ship the whole history of each property.
	maxNodes = 50_000
)

// Leaf is one answer as the sender gave it.
type Leaf struct {
	// Path says where it stood, such as form_response.answers[1]; segments that
	// hold a dot are quoted.
	Path string
	// Key is the sender's own key for it.
	Key string
	// Label is the text the person saw, where the body has it.
	Label string
	// Type is the sender's own type word, where the body has one.
	Type string
	// Value is the answer as text. Numbers keep their spelling.
	Value string

	parents []string // normalised names of what it stood in, outermost first
	rank    rank
	origin  origin
	around  bool       // outside of the submission's own part of the body
	isID    bool       // the sender's own id for the submission, or a part of it
	claim   *fieldPlan // what the mapping takes it for
	inside  string     // where in what the mapping names, such as "first"
}

// rank says how likely a leaf is to be an answer of the person.
type rank int8

const (
	rankAnswer  rank = iota // in a list or object of answers
	rankPlain               // anywhere else
	rankAside               // in something about the form or the page
	rankForeign             // about somebody else, such as the record's owner
)

// origin says which part of the request a leaf came from.
type origin int8

const (
	fromJSON origin = iota
	fromPair        // from a list of question and answer
	fromForm
	fromQuery
	fromText
	fromHeader
)

// Item is one submission of a body.
type Item struct {
	Leaves []Leaf
	// Notes say what was odd about the body and what was done, without
	// anything of its content.
	Notes []string

	plan  *plan  // how it was read; nil = by itself
	id    string // the sender's own, where the mapping says which
	event string // kind of event, where the mapping says where

	// renamed is true where the mapping knows of more ids than one, and the
	// lists are those: of what this takes the place of, and of what took its place.
	renamed         bool
	replaces, later []string

	test bool // by a mark of the mapping
}

// Fields is a parsed body: none, one or many submissions.
type Fields struct {
	Items []Item
}

// Notes, in the words people read.
const (
	noteDuplicate = "a field name occurs twice in one object; the last value counts"
	noteNUL       = "NUL characters were removed"
	noteSurrogate = "half of a surrogate pair was replaced by U+FFFD"
	noteUTF8      = "bytes that are not UTF-8 were replaced by U+FFFD"
	noteCharset   = "the charset is not known here; the body was read as UTF-8"
	noteText      = "the body is no form and no JSON; it was kept as one message"
	noteNesting   = "a field name with brackets does not nest; it was kept as it is"
	noteEscape    = "a percent sign without two hex digits was kept as it is"
)

// BodyLimit is the most bytes that a body of this content type may have.
func BodyLimit(contentType string) int64 {
	if media, _ := mediaType(contentType); strings.HasPrefix(media, "multipart/") {
		return MaxMultipart
	}
	return MaxBody
}

// IsForm says whether a content type is one that a browser's form sends.
func IsForm(contentType string) bool {
	media, _ := mediaType(contentType)
	return media == typeURLEncoded || media == typeMultipart
}

const (
	typeURLEncoded = "application/x-www-form-urlencoded"
	typeMultipart  = "multipart/form-data"
)

// Parse reads a body. It decides by the content type, except that a body which
// plainly is JSON is read as JSON under any type that says nothing better:
// command-line tools call everything urlencoded. The query of the address adds
// fields after those of the body. A fault is Invalid and says what is wrong and
// where; what was fine but odd is noted on the items.
func Parse(contentType, query string, raw []byte) (Fields, error) {
	return parse(request{contentType: contentType, query: query, raw: raw}, nil)
}

// ParseDelivery reads a kept body exactly as the door read it, by the source's
// mapping as it is now: what the user settled, then the preset, then by itself.
func ParseDelivery(d *intakev1.Delivery, body *intakev1.DeliveryBody, src *intakev1.SourceDeclared) (Fields, error) {
	return parse(request{
		contentType: d.GetContentType(), query: body.GetQuery(), raw: body.GetRaw(), signed: d.GetSigned(), headers: body.GetHeaders(),
	}, planOf(src))
}

// request is what came to the door.
type request struct {
	contentType, query string
	raw                []byte
	signed             bool
	headers            map[string]string // those that the mapping reads
}

// tree is a body before it is split into submissions.
type tree struct {
	root  *node
	notes notes
	from  origin
}

func parse(r request, p *plan) (Fields, error) {
	t, err := r.tree()
	if err != nil {
		return Fields{}, err
	}
	var items []Item
	if t.root != nil {
		t.expand(p)
		if items, err = shape(t, p); err != nil {
			return Fields{}, err
		}
	}
	if r.query != "" {
		if items, err = addQuery(items, r.query); err != nil {
			return Fields{}, err
		}
	}
	for i := range items {
		p.mark(&items[i], i, r.headers)
	}
	return Fields{Items: items}, nil
}

// expand reads the texts that the mapping says hold JSON.
func (t *tree) expand(p *plan) {
	if p == nil {
		return
	}
	s := scanner{}
	for _, at := range p.embedded {
		at.each(t.root, func(n *node) {
			if n.kind != kindText || n.text == "" {
				return
			}
			text := *n
			if inner := s.within(&text); inner != &text {
				*n = *inner
			} else if raw, err := base64.StdEncoding.DecodeString(n.text); err == nil {
				text.text = string(raw)
				if inner := s.within(&text); inner != &text {
					*n = *inner
				}
			}
		})
	}
	for _, note := range s.notes {
		t.notes.add(note)
	}
}

// tree reads the bytes.
func (r request) tree() (tree, error) {
	raw := r.raw
	media, params := mediaType(r.contentType)
	limit := BodyLimit(r.contentType)
	if int64(len(raw)) > limit {
		return tree{}, fault.New(fault.Invalid, "body: longer than %d bytes: send less at once", limit)
	}
	body := bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	start := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(start) == 0:
		if r.query == "" {
			return tree{}, fault.New(fault.Invalid, "body: empty: send a form or JSON")
		}
		return tree{}, nil
	case media == "application/json" || strings.HasSuffix(media, "+json"):
		t, err := parseJSON(body)
		if err != nil && r.signed && start[0] != '{' && start[0] != '[' {
			return parseText(body, params["charset"]), nil
		}
		return t, err
	case strings.HasPrefix(media, "multipart/"):
		return parseMultipart(body, params["boundary"])
	case media == typeURLEncoded:
		switch {
		case plainlyJSON(start):
			return parseJSON(body)
		case !bytes.ContainsRune(start, '='):
			return parseText(body, params["charset"]), nil
		}
		return parseURLEncoded(string(body), params["charset"])
	}
	if start[0] == '{' || start[0] == '[' {
		if t, err := parseJSON(body); err == nil {
			return t, nil
		}
	}
	return parseText(body, params["charset"]), nil
}

// plainlyJSON says whether a body that calls itself urlencoded can only be JSON.
// Forms escape braces, so a brace in front is enough; a bracket needs company.
func plainlyJSON(start []byte) bool {
	if start[0] == '{' {
		return true
	}
	if start[0] != '[' {
		return false
	}
	rest := bytes.TrimLeft(start[1:], " \t\r\n")
	return len(rest) == 0 || bytes.IndexByte([]byte("{[]\""), rest[0]) >= 0
}

// mediaType reads a content type leniently: broken parameters do not hide the
// type in front of them.
func mediaType(contentType string) (string, map[string]string) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		media, _, _ = strings.Cut(contentType, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	return media, params
}

// parseText keeps a body as one message.
func parseText(body []byte, charset string) tree {
	t := tree{root: &node{kind: kindObject}, from: fromText}
	t.root.set("message", &node{kind: kindText, text: t.notes.clean(decodeCharset(&t.notes, charset, string(body)))})
	t.notes.add(noteText)
	return t
}

// notes are kept in the order of their first occurrence, each once.
type notes []string

func (n *notes) add(note string) {
	for _, have := range *n {
		if have == note {
			return
		}
	}
	*n = append(*n, note)
}

// clean makes a text safe to store: valid UTF-8 without NUL.
func (n *notes) clean(s string) string {
	if !utf8.ValidString(s) {
		n.add(noteUTF8)
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		n.add(noteNUL)
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return s
}

// decodeCharset turns text of the few legacy charsets that forms still send
// into UTF-8.
func decodeCharset(n *notes, charset, s string) string {
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return s
	case "iso-8859-1", "latin1", "windows-1252", "cp1252":
		// Browsers mean windows-1252 when they say iso-8859-1.
		return decodeMap(charmap.Windows1252, s)
	case "iso-8859-15", "latin9":
		return decodeMap(charmap.ISO8859_15, s)
	default:
		n.add(noteCharset)
		return s
	}
}

func decodeMap(m *charmap.Charmap, s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		b.WriteRune(m.DecodeByte(s[i]))
	}
	return b.String()
}
