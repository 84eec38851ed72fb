"""What stands for or against an action besides the rules: freezes, grants, rejections, limits."""
