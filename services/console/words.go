package console

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

// words are what templates say things with.
var words = template.FuncMap{
	"stamp":    stamp,
	"away":     away,
	"span":     span,
	"unnamed":  lead.Unnamed,
	"count":    func(n any) template.HTML { return count(whole(n)) },
	"state":    lead.StateWord,
	"stateKey": stateKey,
	"stage":    stageWord,
	"leadPath": leadPath,
	"agreed":   agreementPath,
	"changes":  withPath,
	"inWords": func(e *leadv1.Explanation, plain map[string]string) explained {
		return explained{e, plain}
	},
	"short": shortID, "waitsFor": lead.WaitsFor,
	"wish": wishWord,
	"goes": goes,
	"hex":  func(b []byte) string { return fmt.Sprintf("%x", b) },
	"kind": eventKind,

	"thousandths": thousandths,
	"choices":     choices,
}

// choices are answers to choose from: pairs of what is sent and what is read.
func choices(pairs ...string) (out []fact) {
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, fact{Name: pairs[i+1], Value: pairs[i]})
	}
	return out
}

// thousandths shows thousandths of a point as points with one decimal place.
func thousandths(n int64) string {
	sign := "+"
	if n < 0 {
		sign, n = "−", -n
	}
	tenths := (n + 50) / 100
	return fmt.Sprintf("%s%d.%d", sign, tenths/10, tenths%10)
}

// explained is an explanation with its conditions in plain words.
type explained struct {
	*leadv1.Explanation
	Plain map[string]string
}

// instant reads a timestamp; zero where there is none.
func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil || (t.GetSeconds() == 0 && t.GetNanos() == 0) {
		return time.Time{}
	}
	return t.AsTime()
}

// stamp shows an instant as an ISO date and time with its zone, exact for
// machines.
func stamp(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339Nano) + `">` + t.Format("2006-01-02 15:04:05") + ` UTC</time>`) // #nosec G203 -- digits only
}

// away says how far an instant is from now: "in 1 h 12 min", "3 min ago".
func away(t, now time.Time) string {
	switch d := t.Sub(now); {
	case t.IsZero() || now.IsZero():
		return ""
	case d >= time.Second:
		return "in " + span(d)
	case d <= -time.Second:
		return span(-d) + " ago"
	default:
		return "now"
	}
}

// hours says a duration in hours and minutes: a day of working time is no day.
func hours(d time.Duration) string {
	h, m := d/time.Hour, d%time.Hour/time.Minute
	switch {
	case h == 0:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	}
	return fmt.Sprintf("%d h %d min", h, m)
}

// span says a duration in its two largest units.
func span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	d = d.Round(time.Second)
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, u := range units {
		n := d / u.size
		if n == 0 {
			continue
		}
		text := fmt.Sprintf("%d %s", n, u.name)
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				text += fmt.Sprintf(" %d %s", rest, units[i+1].name)
			}
		}
		return text
	}
	return "0 s"
}

// count shows a whole number in groups of three, plain for machines.
func count(n int64) template.HTML {
	digits := strconv.FormatInt(n, 10)
	return template.HTML(`<data value="` + digits + `">` + grouped(digits) + `</data>`) // #nosec G203 -- digits only
}

// money is a value in minor units, such as "1,234.50 EUR".
func money(minor int64, currency string) string {
	amount, currency, _ := strings.Cut(lead.Money(minor, currency), " ")
	whole, cents, fraction := strings.Cut(amount, ".")
	if fraction {
		cents = "." + cents
	}
	return grouped(whole) + cents + " " + currency
}

func grouped(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return sign + digits
}

func whole(n any) int64 {
	switch v := n.(type) {
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case int64:
		return v
	case uint64:
		return int64(min(v, 1<<62)) // #nosec G115 -- bounded
	default:
		return 0
	}
}

// stateKey is a state as addresses and style sheets spell it.
func stateKey(s leadv1.State) string {
	if s == leadv1.State_STATE_UNSPECIFIED {
		return ""
	}
	return lead.StateWord(s)
}

// stateOf reads what stateKey wrote.
func stateOf(key string) (leadv1.State, bool) {
	if key == "" {
		return leadv1.State_STATE_UNSPECIFIED, true
	}
	n, ok := leadv1.State_value["STATE_"+strings.ToUpper(key)]
	return leadv1.State(n), ok && n != 0
}

func stageWord(s leadv1.Stage) string {
	switch s {
	case leadv1.Stage_STAGE_LEAD:
		return "Lead"
	case leadv1.Stage_STAGE_UNSPECIFIED:
		return "–"
	default:
		return lead.StageWord(s)
	}
}

func wishWord(w leadv1.ContactWish) string {
	switch w {
	case leadv1.ContactWish_CONTACT_WISH_CONTACT:
		return "asked to be contacted"
	case leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY:
		return "asked for content only"
	default:
		return "not stated"
	}
}

func leadPath(id string) string { return "/leads/" + url.PathEscape(id) }

// shortID is enough of an id to tell leads on one page apart; the whole one is
// where the link leads.
func shortID(id string) string {
	const most = 12
	if r := []rune(id); len(r) > most {
		return string(r[:most]) + "…"
	}
	return id
}

// eventKind is an event's type without its package.
func eventKind(t string) string { return t[strings.LastIndexByte(t, '.')+1:] }
