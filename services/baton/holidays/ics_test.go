package holidays

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadbaton/baton/services/internal/fault"
)

const calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Office//EN\r\n" +
	"BEGIN:VTIMEZONE\r\nTZID:Europe/Rome\r\nBEGIN:DAYLIGHT\r\nDTSTART:19810329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n" +
	"BEGIN:VEVENT\r\nUID:1@example.com\r\nDTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY;LANGUAGE=\"it:IT\":Natale\\, \r\n Santo Stefano\r\n" +
	"BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nDURATION:PT5M\r\nSUMMARY:Not the name\r\nEND:VALARM\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260101\r\nSUMMARY:Capodanno\r\nDURATION:P1D\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260102\r\nSTATUS:CANCELLED\r\nSUMMARY:Nothing\r\nEND:VEVENT\r\n" +
	"END:VCALENDAR\r\n"

func TestICS(t *testing.T) {
	days, cancelled, err := ReadICS(calendar)
	if err != nil {
		t.Fatal(err)
	}
	want := []Day{{"2026-12-25", []string{"Natale, Santo Stefano"}}, {"2026-12-26", []string{"Natale, Santo Stefano"}}, {"2026-01-01", []string{"Capodanno"}}}
	if diff := cmp.Diff(want, days); diff != "" || cancelled != 1 {
		t.Errorf("%d cancelled, days (-want +got):\n%s", cancelled, diff)
	}
	if plain, _, err := ReadICS("\ufeff" + strings.ReplaceAll(calendar, "\r", "")); err != nil || !cmp.Equal(plain, days) {
		t.Errorf("without carriage returns: %v, %v", plain, err)
	}
}

// TestICSRefuses holds that nothing is left out unsaid.
func TestICSRefuses(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"a rule":              {"SUMMARY:Capodanno\r\n", "SUMMARY:Capodanno\r\nRRULE:FREQ=YEARLY\r\n", "line 26: the event that begins in line 23 has RRULE, which is not understood; export a calendar that has each date written out"},
		"more dates":          {"SUMMARY:Capodanno\r\n", "RDATE;VALUE=DATE:20270101\r\n", "line 25: the event that begins in line 23 has RDATE, which is not understood; export a calendar that has each date written out"},
		"a long duration":     {"DURATION:P1D", "DURATION:P2D", "line 26: the event that begins in line 23 has DURATION, which is not understood; export a calendar that has each date written out"},
		"a time of day":       {"DTSTART;VALUE=DATE:20260101", "DTSTART;TZID=Europe/Rome:20260101T090000", "line 24: DTSTART is at a time of day; only events of whole days are holidays (DTSTART;VALUE=DATE:20261225)"},
		"no date":             {"DTSTART;VALUE=DATE:20260101", "DTSTART;VALUE=DATE:20260141", "line 24: DTSTART is no date"},
		"no begin":            {"DTSTART;VALUE=DATE:20260101\r\n", "", "line 23: the event has no DTSTART"},
		"an end before":       {"DTEND;VALUE=DATE:20261227", "DTEND;VALUE=DATE:20261201", "line 11: the event ends before it begins, or more than 31 days after; that is no holiday"},
		"a year of holidays":  {"DTEND;VALUE=DATE:20261227", "DTEND;VALUE=DATE:20271201", "line 11: the event ends before it begins, or more than 31 days after; that is no holiday"},
		"another file":        {"BEGIN:VCALENDAR", "<html>", "line 1: this is no iCalendar file; it begins with BEGIN:VCALENDAR"},
		"a file that is cut":  {"END:VEVENT\r\nEND:VCALENDAR\r\n", "", "the file ends within VEVENT; it is cut off"},
		"an end of something": {"END:VALARM", "END:VTODO", "line 21: END:VTODO ends what does not stand open"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Count(calendar, c.from) == 0 {
				t.Fatalf("%q is not there", c.from)
			}
			days, _, err := ReadICS(strings.Replace(calendar, c.from, c.to, 1))
			if err == nil || err.Error() != c.want || fault.Of(err) != fault.Invalid || days != nil {
				t.Errorf("got %v, %v, want %s", days, err, c.want)
			}
		})
	}
}

func FuzzICS(f *testing.F) {
	f.Add(calendar)
	f.Fuzz(func(t *testing.T, text string) {
		days, _, err := ReadICS(text)
		for _, d := range days {
			if err != nil || len(d.Date) != len("2026-01-01") {
				t.Errorf("%v, %v", d, err)
			}
		}
	})
}
