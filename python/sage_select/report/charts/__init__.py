"""What figures hold: each chart is values, and draws itself by matplotlib, in the light and in the dark."""
