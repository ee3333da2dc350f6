package agreement

import "time"

// Local is an instant as the clocks of the calendar's zone show it.
func (c *Calendar) Local(t time.Time) time.Time { return t.In(c.zone) }
