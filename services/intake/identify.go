package intake

import (
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
	m.Phone, country, _ = NormalisePhone(p.GetPhone(), src.GetRegion(), f.GetCountry())
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
	if m.Spam == "" {
		m.Spam = spam(p, received)
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
func worded(sub *intakev1.Submission, src *intakev1.SourceDeclared, domains *Domains, received time.Time) Mapped {
	m := Mapped{Submission: proto.Clone(sub).(*intakev1.Submission)}
	if f := m.Submission.GetFeatures(); f != nil {
		f.Attribution = inTheClear(f.GetAttribution())
	}
	complete(&m, src, domains, received)
	m.NeedsMapping = m.Email == "" && m.Phone == ""
	return m
}

// understood is all that is known of one submission of a body.
func understood(item Item, rules Vocabulary, src *intakev1.SourceDeclared, domains *Domains, received time.Time) Mapped {
	m := Map(item, rules, src)
	complete(&m, src, domains, received)
	return m
}
