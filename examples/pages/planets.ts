/** The data of the page, an ordinary module. `year` in days. */
export const planets = [
  { name: "Mercury", moons: 0, year: 88 },
  { name: "Venus", moons: 0, year: 224.7 },
  { name: "Earth", moons: 1, year: 365.25 },
  { name: "Mars", moons: 2, year: 687 },
  { name: "Jupiter", moons: 97, year: 4331 },
  { name: "Saturn", moons: 274, year: 10_747 },
  { name: "Uranus", moons: 28, year: 30_589 },
  { name: "Neptune", moons: 16, year: 59_800 },
];
