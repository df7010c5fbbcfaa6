// Without VitePress's font, which would be a quarter of all bytes of a first visit.
import theme from "vitepress/theme-without-fonts";
import "./style.css";

export default theme;
