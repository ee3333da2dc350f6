package agreement

import (
	"bytes"
	_ "embed" // The page that people sign.
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
)

// Sheet is what stands around the agreement on the document that people sign:
// which version it is and how far. The zero Sheet is that of a file that nobody
// has proposed.
type Sheet struct {
	Version                 int64
	ProposedAt              time.Time
	ProposedBy, Why         string
	Signatures              []Signature
	InForceFrom, InForceEnd time.Time
	Standing                agreementv1.Standing
}

// SheetOf reads a version as the service shows it.
func SheetOf(a *agreementv1.Agreement) Sheet {
	s := Sheet{
		Version: a.GetVersion(), ProposedAt: instantOf(a.GetProposedAt()), ProposedBy: a.GetProposedBy(), Why: a.GetWhy(),
		InForceFrom: instantOf(a.GetInForceFrom()), InForceEnd: instantOf(a.GetInForceUntil()), Standing: a.GetStanding(),
	}
	for _, sig := range a.GetSignatures() {
		s.Signatures = append(s.Signatures, Signature{Party: sig.GetParty(), At: instantOf(sig.GetSignedAt()), Actor: sig.GetActor(), PublicKey: sig.GetPublicKey()})
	}
	return s
}

// instantOf reads a timestamp; zero where there is none.
func instantOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// standing says in a sentence how far the version is.
func (s Sheet) standing() string {
	switch {
	case s.Version == 0:
		return "Nobody has proposed it yet, and nothing uses it."
	case s.Standing == agreementv1.Standing_STANDING_IN_FORCE && s.InForceEnd.IsZero():
		return "In force since " + moment(s.InForceFrom) + "."
	case s.Standing == agreementv1.Standing_STANDING_IN_FORCE:
		return "In force since " + moment(s.InForceFrom) + ", until " + moment(s.InForceEnd) + "."
	case s.Standing == agreementv1.Standing_STANDING_AGREED:
		return "Both have signed. It is in force from " + moment(s.InForceFrom) + "."
	case s.Standing == agreementv1.Standing_STANDING_PAST && s.InForceEnd.After(s.InForceFrom):
		return "It was in force from " + moment(s.InForceFrom) + " until " + moment(s.InForceEnd) + "."
	case s.Standing == agreementv1.Standing_STANDING_PAST:
		return "Both have signed, but a later version was in force before its time came."
	case len(s.Signatures) == 0:
		return "A draft that nobody has signed. Nothing uses it before both have."
	}
	missing := Marketing
	if s.Signatures[0].Party == Marketing {
		missing = Sales
	}
	return fmt.Sprintf("A draft that only %s has signed. Nothing uses it before %s has, too.", s.Signatures[0].Party, missing)
}

// place to sign, or who signed there.
type signPlace struct {
	Party, Name string
	Signed      string
	Key         string
}

func (a *Agreement) places(s Sheet) []signPlace {
	out := []signPlace{{Party: "Marketing", Name: a.marketing.accountable}, {Party: "Sales", Name: a.sales.accountable}}
	for _, sig := range s.Signatures {
		i := 0
		if sig.Party == Sales {
			i = 1
		}
		out[i].Signed = moment(sig.At)
		if sig.Actor != "" {
			out[i].Signed += ", brought by " + sig.Actor
		}
		out[i].Key = "ed25519:" + base64.StdEncoding.EncodeToString(sig.PublicKey)
	}
	return out
}

type page struct {
	Name, Standing, Title string
	Digest                string
	Sheet                 Sheet
	Proposed              string
	Parts                 []Part
	Places                []signPlace
	Style                 template.CSS
}

//go:embed render.html
var pageText string

//go:embed render.css
var pageStyle string

var pageTemplate = template.Must(template.New("agreement").Funcs(template.FuncMap{
	"number": func(i int) int { return i + 1 },
	"cells": func(p Part, i Item) []Line {
		out := make([]Line, len(p.Columns))
		for j, label := range p.Columns {
			for _, l := range i.Lines {
				if l.Label == label {
					out[j] = l
				}
			}
		}
		return out
	},
}).Parse(pageText))

func (a *Agreement) page(s Sheet) page {
	p := page{
		Name: a.name, Standing: s.standing(), Digest: fmt.Sprintf("%x", a.digest), Sheet: s,
		Parts: a.Outline(), Places: a.places(s), Style: template.CSS(pageStyle), // #nosec G203 -- our own file
	}
	p.Title = "Draft"
	if s.Version > 0 {
		p.Title = fmt.Sprintf("Version %d", s.Version)
		p.Proposed = moment(s.ProposedAt)
		if s.ProposedBy != "" {
			p.Proposed += " by " + s.ProposedBy
		}
	}
	return p
}

// HTML is the document that people sign as a page that stands alone: it loads
// nothing and prints on paper.
func (a *Agreement) HTML(s Sheet) ([]byte, error) { return a.execute("page", s) }

// Fragment is the content of that page, to be put into another one.
func (a *Agreement) Fragment(s Sheet) ([]byte, error) { return a.execute("document", s) }

func (a *Agreement) execute(name string, s Sheet) ([]byte, error) {
	var out bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&out, name, a.page(s)); err != nil {
		return nil, fmt.Errorf("the document cannot be rendered: %w", err)
	}
	return out.Bytes(), nil
}

// textWidth is how wide a line of the text is, in characters.
const textWidth = 78

// Text is the document that people sign as plain text.
func (a *Agreement) Text(s Sheet) string {
	p := a.page(s)
	var b strings.Builder
	heading := func(text, under string) {
		fmt.Fprintf(&b, "%s\n%s\n\n", text, strings.Repeat(under, utf8.RuneCountInString(text)))
	}
	heading(p.Name, "=")
	wrap(&b, "", p.Title+". "+p.Standing)
	if p.Proposed != "" {
		wrap(&b, "", "Proposed "+p.Proposed+".")
	}
	if s.Why != "" {
		wrap(&b, "", "Why: "+s.Why)
	}
	wrap(&b, "", "SHA-256 "+p.Digest)
	for i, part := range p.Parts {
		b.WriteByte('\n')
		heading(fmt.Sprintf("%d. %s", i+1, part.Title), "-")
		if part.Note != "" {
			wrap(&b, "", part.Note)
			b.WriteByte('\n')
		}
		for _, item := range part.Items {
			item.text(&b)
		}
	}
	b.WriteByte('\n')
	heading("Signatures", "-")
	for _, place := range p.Places {
		wrap(&b, "", fmt.Sprintf("For %s: %s", strings.ToLower(place.Party), place.Name))
		if place.Signed != "" {
			wrap(&b, "  ", "signed "+place.Signed)
			wrap(&b, "  ", "with the key "+place.Key)
			continue
		}
		b.WriteString("\n  Place, date  ______________________   Signature  __________________________\n\n")
	}
	return b.String()
}

func (i Item) text(b *strings.Builder) {
	if len(i.Lines) == 1 && i.Lines[0].Label == "" {
		title := ""
		if i.Title != "" {
			title = i.Title + ": "
		}
		wrap(b, "  ", "- "+title+i.Lines[0].Said())
		return
	}
	if i.Title != "" {
		wrap(b, "  ", "- "+i.Title)
	}
	for _, l := range i.Lines {
		label := ""
		if l.Label != "" {
			label = l.Label + ": "
		}
		wrap(b, "      ", label+l.Said())
		if l.Rule != "" {
			wrap(b, "          ", "["+strings.Join(strings.Fields(l.Rule), " ")+"]")
		}
	}
}

// wrap writes text in lines of a readable width, each behind an indent.
func wrap(b *strings.Builder, indent, text string) {
	width := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case width == 0:
			b.WriteString(indent)
			width = len(indent)
		case width+1+n > textWidth:
			b.WriteByte('\n')
			b.WriteString(indent)
			width = len(indent)
			if strings.HasPrefix(text, "- ") {
				b.WriteString("  ")
				width += 2
			}
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += n
	}
	b.WriteByte('\n')
}
