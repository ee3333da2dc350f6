package intake

import (
	"slices"
	"strings"
	"unicode"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// Thin says whether a delivery came without its answers, which have to be read
// where the source keeps them.
func Thin(src *intakev1.SourceDeclared, m Mapped) bool {
	return PresetOf(src.GetPreset()).GetThin() && m.Ignored == "" && m.Submission.GetPersonal().GetEmail() == "" && m.Submission.GetPersonal().GetPhone() == ""
}

// maxShown is how much of a value is shown to whoever maps a source, in
// characters.
const maxShown = 200

// Suggest lists all that stands in a submission: what each leaf was taken for,
// and what it might be. The values of controls are not shown, because some are
// secrets. It holds personal data.
func Suggest(item Item, m Mapped) []*intakev1.LeafFound {
	taken := map[string]string{}
	for _, f := range m.Found {
		taken[f.GetPath()] = f.GetField()
	}
	for _, c := range m.Submission.GetFeatures().GetConsents() {
		taken[c.GetPath()] = "consent"
	}
	_, idLeaf := externalID(item)
	out := make([]*intakev1.LeafFound, 0, len(item.Leaves))
	for i := range item.Leaves {
		l := &item.Leaves[i]
		found := &intakev1.LeafFound{Path: l.Path, Label: l.Label, Type: l.Type, Value: shown(l.Value)}
		switch {
		case l.claim != nil && (l.claim.ignore || l.claim.field == fieldNone):
			found.Field = l.claim.name
		case i == idLeaf || l.isID:
			found.Field = "id"
		case isControl(l):
			found.Field, found.Value = ignoreField, ""
		default:
			if found.Field = taken[cut(l.Path, maxPath)]; found.Field == "" && strings.TrimSpace(l.Value) != "" {
				found.Suggestion = suggestion(l)
			}
		}
		out = append(out, found)
	}
	return out
}

func shown(s string) string {
	if len(s) <= maxShown {
		return s
	}
	if r := []rune(cut(s, 4*maxShown)); len(r) > maxShown {
		return string(r[:maxShown])
	}
	return s
}

// hints are parts of a key or a label that suggest a field without saying it,
// the telling ones first.
var hints = []struct {
	field string
	parts []string
}{
	{"email", strings.Fields("mail")},
	{"phone", strings.Fields("phone telefon mobil handy whatsapp")},
	{"consent", strings.Fields("consent privacy gdpr agree accept")},
	{"employees", strings.Fields("employee headcount mitarbeiter")},
	{"company", strings.Fields("compan firm organi employer unternehm")},
	{"first_name", strings.Fields("firstname vorname")},
	{"last_name", strings.Fields("lastname nachname surname")},
	{"job_title", strings.Fields("jobtitle position")},
	{"country", strings.Fields("country")},
	{"industry", strings.Fields("industry")},
	{"message", strings.Fields("message comment nachricht inquiry enquiry")},
	{"utm_source", strings.Fields("utmsource")},
	{"utm_medium", strings.Fields("utmmedium")},
	{"utm_campaign", strings.Fields("utmcampaign")},
	{"page", strings.Fields("pageurl")},
	{"referrer", strings.Fields("referr")},
	{"name", strings.Fields("name person contact")},
}

// suggestion is the field that a leaf might be; empty = none comes to mind.
func suggestion(l *Leaf) string {
	if l.Type == typeFile {
		return ""
	}
	value := strings.TrimSpace(l.Value)
	if len(value) <= 320 && strings.Contains(value, "@") {
		if _, ok := NormaliseEmail(value); ok {
			return "email"
		}
	}
	if f, _ := recognise(l); f != fieldNone && f != fieldTest && f != fieldEmail {
		return fieldWords[f]
	}
	for _, text := range []string{l.Key, l.Label} {
		word := norm(text)
		for _, h := range hints {
			// A hint at an address or a number is none where the value holds neither.
			if !slices.ContainsFunc(h.parts, func(part string) bool { return strings.Contains(word, part) }) ||
				h.field == "email" && !strings.Contains(value, "@") || h.field == "phone" && strings.IndexFunc(value, unicode.IsDigit) < 0 {
				continue
			}
			return h.field
		}
	}
	if len(value) <= 32 && strings.HasPrefix(value, "+") {
		if _, _, ok := NormalisePhone(value, ""); ok {
			return "phone"
		}
	}
	return ""
}
