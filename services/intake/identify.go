package intake

import (
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// complete finds out what the words of a submission say about who it is: the
// address and the number in their normal form, the country, what kind of
// provider the address is of, and whether a rule marks it as spam. The words
// stay as they were given. It is the same for what came through a form, by gRPC
// or from a file; doing it twice changes nothing.
func complete(m *Mapped, src *intakev1.SourceDeclared, domains *Domains, received time.Time) {
	p, f := m.Submission.GetPersonal(), m.Submission.GetFeatures()
	if f == nil {
		f = &leadv1.Features{}
		m.Submission.Features = f
	}
	var country string
	m.Email, _ = NormaliseEmail(strings.TrimSpace(p.GetEmail()))
	m.Phone, country = numberOf(p, f, src)
	f.HasEmail, f.HasPhone = m.Email != "", m.Phone != ""
	f.HasCompany = p.GetCompany() != ""
	domain := domainOf(m.Email)
	f.DisposableEmail = m.Email != "" && domains.Disposable(domain)
	f.FreeEmail = m.Email != "" && domains.Free(domain)
	// A country that was stated and not understood is still a statement.
	if f.GetCountry() == "" && !stated(p) {
		f.Country = country
		if country == "" {
			f.Country = zoneOf(p)
		}
	}
	m.NeedsMapping = m.NeedsMapping || unreachable(p)
	if m.Spam == "" {
		m.Spam = spam(p, received)
	}
}

// numberOf is somebody's number in its normal form, and the country that it
// belongs to; empty = it is none. A number without a country code is one of the
// country that the person states, and where it cannot be, one of the source's
// region.
func numberOf(p *leadv1.PersonalData, f *leadv1.Features, src *intakev1.SourceDeclared) (phone, country string) {
	phone, country, _ = NormalisePhone(p.GetPhone(), f.GetCountry(), src.GetRegion())
	return phone, country
}

// unreachable says whether nothing was given to reach somebody by. An address
// with a typing mistake is one: it was found, and no mapping makes it better.
func unreachable(p *leadv1.PersonalData) bool {
	return strings.TrimSpace(p.GetEmail()) == "" && strings.TrimSpace(p.GetPhone()) == ""
}

// wordFor finds the word of an agreed list that a text stands for; empty = none,
// or nothing is agreed.
func wordFor(rules Vocabulary, list, text string) string {
	if rules == nil || strings.TrimSpace(text) == "" {
		return ""
	}
	if word, ok := rules.Word(list, text); ok && fits(word) {
		return word
	}
	return ""
}

// roleFor is the role of somebody who gave no other word for it than their title.
func roleFor(rules Vocabulary, p *leadv1.PersonalData) string {
	return wordFor(rules, ListRole, p.GetJobTitle())
}

// agree puts words of a sender's own into those of the agreement. What is no
// agreed word is no fact: it stays among the answers, sealed.
func agree(sub *intakev1.Submission, rules Vocabulary) {
	f := sub.GetFeatures()
	if f == nil {
		if role := roleFor(rules, sub.GetPersonal()); role != "" {
			sub.Features = &leadv1.Features{Role: role}
		}
		return
	}
	keep := func(key, text string) {
		if sub.Personal == nil {
			sub.Personal = &leadv1.PersonalData{}
		}
		sub.Personal.Other = append(sub.Personal.Other, &leadv1.Answer{Key: key, Value: text})
	}
	for _, w := range []struct {
		key, list string
		to        *string
	}{{fieldWords[fieldIndustry], ListIndustry, &f.Industry}, {fieldWords[fieldRole], ListRole, &f.Role}, {fieldWords[fieldProduct], ListProduct, &f.Product}} {
		said := *w.to
		if *w.to = wordFor(rules, w.list, said); said != "" && *w.to != said {
			keep(w.key, said)
		}
	}
	if f.Role == "" {
		f.Role = roleFor(rules, sub.GetPersonal())
	}
	for _, key := range slices.Sorted(maps.Keys(f.GetAnswers())) {
		text, ok := f.GetAnswers()[key].GetKind().(*leadv1.Value_Text)
		if !ok {
			continue // a number or a yes is in the clear without harm
		}
		delete(f.Answers, key)
		id, v := "", (*leadv1.Value)(nil)
		if rules != nil {
			id, v, ok = rules.Answer(key, text.Text)
		}
		if rules == nil || !ok || v == nil {
			keep(key, text.Text)
			continue
		}
		f.Answers[id] = v
		if v.GetText() != text.Text {
			keep(key, text.Text)
		}
	}
}

// stated says whether a country was given in words that nobody understood.
func stated(p *leadv1.PersonalData) bool {
	for _, a := range p.GetOther() {
		if fieldOfKey(a.GetKey()) == fieldCountry {
			return true
		}
	}
	return false
}

var zoneKeys = set("timezone", "tz", "timezonename", "usertimezone", "iptimezone", "browsertimezone")

// zoneOf is the country of the time zone that a form sends; empty if it sends
// none that lies in one.
func zoneOf(p *leadv1.PersonalData) string {
	for _, a := range p.GetOther() {
		if zoneKeys[norm(a.GetKey())] {
			if code, ok := ZoneCountry(a.GetValue()); ok {
				return code
			}
		}
	}
	return ""
}

// worded is all that is known of a submission that came in Baton's own words: by
// gRPC or from a file. The submission itself stays as it was sent.
func worded(sub *intakev1.Submission, rules Vocabulary, src *intakev1.SourceDeclared, domains *Domains, received time.Time) Mapped {
	m := Mapped{Submission: proto.Clone(sub).(*intakev1.Submission)}
	if f := m.Submission.GetFeatures(); f != nil {
		f.Attribution = inTheClear(f.GetAttribution())
	}
	agree(m.Submission, rules)
	complete(&m, src, domains, received)
	return m
}

// understood is all that is known of one submission of a body.
func understood(item Item, rules Vocabulary, src *intakev1.SourceDeclared, domains *Domains, received time.Time) Mapped {
	m := Map(item, rules, src)
	complete(&m, src, domains, received)
	return m
}
