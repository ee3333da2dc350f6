package intake

import (
	"strings"
)

// A signed text is a template: names in braces stand for parts of the request,
// everything else for itself.
const (
	pieceBody      = "body"
	pieceTimestamp = "timestamp"
	pieceMethod    = "method"
	pieceURL       = "url"
	// pieceDecoded is the address with the escapes of reserved characters decoded,
	// as one sender signs it.
	pieceDecoded = "url:decoded"
	pieceHeader  = "header:"
)

// piece is one part of a template: a name in braces, or text as it stands.
type piece struct {
	name string
	text string // of a header: its name
}

// parseSigned reads a template; false if it names what there is not, or leaves
// the body out: then one signature would fit every body. Empty = the body.
func parseSigned(template string) (pieces []piece, ok bool) {
	if template == "" {
		return []piece{{name: pieceBody}}, true
	}
	for template != "" {
		before, rest, found := strings.Cut(template, "{")
		if before != "" {
			pieces = append(pieces, piece{text: before})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, false
		}
		header, isHeader := strings.CutPrefix(name, pieceHeader)
		switch {
		case isHeader && header != "":
			pieces = append(pieces, piece{name: pieceHeader, text: header})
		case name == pieceBody, name == pieceTimestamp, name == pieceMethod, name == pieceURL, name == pieceDecoded:
			pieces = append(pieces, piece{name: name})
		default:
			return nil, false
		}
		template = after
	}
	return pieces, hasPiece(pieces, pieceBody)
}

func hasPiece(pieces []piece, name string) bool {
	for _, p := range pieces {
		if p.name == name {
			return true
		}
	}
	return false
}

// signedText is what a signature of this request covers, in parts, so that the
// body is not copied. It is nil where something of it is missing, which is then
// said.
func signedText(template, stamp string, r Request) (parts [][]byte, refused string) {
	pieces, ok := parseSigned(template)
	if !ok {
		return nil, refusedDeclared
	}
	for _, p := range pieces {
		part := []byte(p.text)
		switch p.name {
		case pieceBody:
			part = r.Body
		case pieceTimestamp:
			if stamp == "" {
				return nil, refusedStale
			}
			part = []byte(stamp)
		case pieceMethod:
			part = []byte(r.Method)
		case pieceURL, pieceDecoded:
			if r.URL == "" {
				return nil, refusedText
			}
			part = []byte(r.URL)
			if p.name == pieceDecoded {
				part = []byte(reserved.Replace(r.URL))
			}
		case pieceHeader:
			values := r.Header.Values(p.text)
			if len(values) != 1 {
				return nil, refusedText
			}
			part = []byte(values[0])
		}
		parts = append(parts, part)
	}
	return parts, ""
}

// reserved decodes the escapes that a sender takes off an address before it
// signs.
var reserved = strings.NewReplacer(
	"%3A", ":", "%2F", "/", "%40", "@", "%26", "&", "%3D", "=", "%2B", "+", "%24", "$",
	"%60", "`", "%22", `"`, "%2C", ",", "%3B", ";", "%3E", ">", "%3C", "<", "%3F", "?",
)

// signedHeaders are the headers that a template names.
func signedHeaders(template string) (names []string) {
	if !strings.Contains(template, pieceHeader) {
		return nil
	}
	pieces, _ := parseSigned(template)
	for _, p := range pieces {
		if p.name == pieceHeader {
			names = append(names, p.text)
		}
	}
	return names
}
