package score

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// value is what a lead has in one field.
type value struct {
	known    bool
	isNumber bool
	number   int64
	text     string
}

func (v value) words() string {
	switch {
	case !v.known:
		return "unknown"
	case v.isNumber:
		return strconv.FormatInt(v.number, 10)
	}
	return v.text
}

func word(s string) value { return value{known: s != "", text: s} }

func flag(b bool) value {
	if b {
		return word("yes")
	}
	return word("no")
}

// plain are the fields that every lead can have, in the order in which a model
// lists them. The campaign is none: there are as many as there were campaigns,
// and none of them comes again.
var plain = []struct {
	name, text string
	read       func(*leadv1.Features) value
}{
	{"lead.country", "country", func(f *leadv1.Features) value { return word(f.GetCountry()) }},
	{"lead.employees", "size of the company in employees", func(f *leadv1.Features) value {
		return value{known: f.GetEmployees() > 0, isNumber: true, number: f.GetEmployees()}
	}},
	{"lead.industry", "industry", func(f *leadv1.Features) value { return word(f.GetIndustry()) }},
	{"lead.role", "role of the person", func(f *leadv1.Features) value { return word(f.GetRole()) }},
	{"lead.product", "product asked about", func(f *leadv1.Features) value { return word(f.GetProduct()) }},
	{"lead.language", "language", func(f *leadv1.Features) value { return word(f.GetLanguage()) }},
	{"lead.contact_wish", "what the person asked for", func(f *leadv1.Features) value {
		switch f.GetContactWish() {
		case leadv1.ContactWish_CONTACT_WISH_CONTACT:
			return word("contact")
		case leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY:
			return word("content only")
		}
		return value{}
	}},
	{"lead.has_email", "gave an e-mail address", func(f *leadv1.Features) value { return flag(f.GetHasEmail()) }},
	{"lead.has_phone", "gave a telephone number", func(f *leadv1.Features) value { return flag(f.GetHasPhone()) }},
	{"lead.has_company", "named a company", func(f *leadv1.Features) value { return flag(f.GetHasCompany()) }},
	{"lead.free_email", "address of a free-mail provider", func(f *leadv1.Features) value { return flag(f.GetFreeEmail()) }},
	{"lead.disposable_email", "throw-away address", func(f *leadv1.Features) value { return flag(f.GetDisposableEmail()) }},
	{"lead.source", "where the visit came from (utm_source)", func(f *leadv1.Features) value { return word(f.GetAttribution().GetSource()) }},
	{"lead.medium", "kind of visit (utm_medium)", func(f *leadv1.Features) value { return word(f.GetAttribution().GetMedium()) }},
}

// sizes are where the bands of a company's size begin.
var sizes = []int64{1, 10, 50, 250, 1000}

const answers = "answers."

// valueOf reads a field by its name.
func valueOf(f *leadv1.Features, name string) value {
	if id, ok := strings.CutPrefix(name, answers); ok {
		switch v := f.GetAnswers()[id].GetKind().(type) {
		case *leadv1.Value_Text:
			return word(v.Text)
		case *leadv1.Value_Number:
			return value{known: true, isNumber: true, number: v.Number}
		case *leadv1.Value_Flag:
			return flag(v.Flag)
		}
		return value{}
	}
	for _, p := range plain {
		if p.name == name {
			return p.read(f)
		}
	}
	return value{}
}

// fieldNames are all fields that leads can have here: the plain ones, then their
// answers in the order of the alphabet.
func fieldNames(of func(func(*leadv1.Features) bool)) []string {
	names := make([]string, 0, len(plain))
	for _, p := range plain {
		names = append(names, p.name)
	}
	ids := map[string]bool{}
	for f := range of {
		// any order: it fills a set
		for id := range f.GetAnswers() {
			ids[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		names = append(names, answers+id)
	}
	return names
}

// filled are the fields that say something. A flag always does, so only that it
// says yes counts.
func filled(f *leadv1.Features) []string {
	var out []string
	for _, name := range fieldNames(func(yield func(*leadv1.Features) bool) { yield(f) }) {
		v := valueOf(f, name)
		if v.known && (v.text != "no" || strings.HasPrefix(name, answers)) {
			out = append(out, name)
		}
	}
	return out
}

// Words says what a field is; questions are the words of answers by their ids.
func wordsOf(name string, questions map[string]string) string {
	if id, ok := strings.CutPrefix(name, answers); ok {
		if text := questions[id]; text != "" {
			return text
		}
		return fmt.Sprintf("answer %q of the form", id)
	}
	for _, p := range plain {
		if p.name == name {
			return p.text
		}
	}
	return name
}
